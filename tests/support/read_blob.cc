// SPDX-License-Identifier: Apache-2.0
// Reads a range of a blob through a backend, as a daemon does, and writes it to its output.
// usage: read_blob CONFIG ID OFFSET LENGTH [CLOCK_SKEW_SECONDS]
// Reads it twice: at once, and as a stream in pieces; both must agree.  Errors go to stderr with exit code 1.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "backend/factory.h"
#include "base/error.h"
#include "http/client.h"
#include "runtime/wall_clock.h"

namespace sluice {
namespace {

class SkewedClock final : public WallClock {
 public:
  explicit SkewedClock(long seconds) : skew_(seconds) {}
  WallTime Now() const noexcept override { return runtime::SystemWallClock().Now() + skew_; }

 private:
  const std::chrono::seconds skew_;
};

struct Order {
  backend::BackendConfig config;
  BlobId id;
  uint64_t offset;
  uint64_t length;
};

runtime::Task<std::vector<std::byte>> Read(backend::Services services, Order order) {
  const auto place = co_await backend::MakeBackend(services, std::move(order.config));
  const auto source = place->Open(order.id);
  std::vector<std::byte> whole(order.length);
  co_await source->ReadAt(order.offset, whole);
  std::vector<std::byte> pieces(order.length);
  const auto stream = source->OpenStream(order.offset, order.length, runtime::Lane::kDemand);
  for (size_t at = 0; at < pieces.size();) {
    const size_t size = std::min<size_t>(pieces.size() - at, 1000 + at);
    co_await stream->Read(MutableBytes(pieces).subspan(at, size));
    at += size;
  }
  if (whole != pieces) Throw(Errc::kCorrupt, "blob {}: a read and a stream differ", order.id.hex());
  co_return whole;
}

std::string Load(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

int Main(char** arguments, int count) {
  const auto engine = runtime::MakeEngine(runtime::EngineKind::kAuto);
  runtime::Offload offload(1);
  Rng rng(1);
  http::HostHealth health(*engine, rng);
  http::Client client(*engine);
  const SkewedClock clock(count > 5 ? std::strtol(arguments[5], nullptr, 10) : 0);
  int result = 0;
  try {
    Order order{backend::ParseBackendConfig(Load(arguments[1]), arguments[1]), BlobId::Parse(arguments[2]),
                std::strtoull(arguments[3], nullptr, 10), std::strtoull(arguments[4], nullptr, 10)};
    const backend::Services services{*engine, client, offload, health, rng, clock, ::getenv};
    const auto bytes = engine->Run(Read(services, std::move(order)));
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", std::string(Name(e.code())).c_str(), e.what());
    result = 1;
  }
  engine->Run(client.Close());
  return result;
}

}  // namespace
}  // namespace sluice

int main(int count, char** arguments) {
  if (count < 5) return 2;
  return sluice::Main(arguments, count);
}
