// SPDX-License-Identifier: Apache-2.0
// A repository as a configured backend, and the forward proxy in front of it.

#include "backend/registry.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "backend/factory.h"
#include "base/error.h"
#include "store_shard.h"

namespace sluice::backend {
namespace {

using http::ClientRequest;
using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;

const std::string kContent = "the stored bytes of a layer";

Task<std::unique_ptr<BlobSource>> Open(StoreShard& shard, std::string more) {
  const std::string config =
      R"({"type":"registry","config":{"host":"r.example","repo":"a/b","retry_limit":0)" + more + "}}";
  const auto backend = co_await MakeBackend(shard.services(), ParseBackendConfig(config, "test"));
  co_return backend->Open(BlobId::Parse(std::string(64, 'c')));
}

Task<std::string> Read(BlobSource& source) {
  std::vector<std::byte> bytes(5);
  co_await source.ReadAt(4, bytes);
  co_return std::string(AsText(bytes));
}

bool IsProxied(const ClientRequest& request) {
  return request.connect.proxies != nullptr && request.connect.proxies->For(request.url) != nullptr;
}

}  // namespace

TEST_CASE("a registry's proxy that is down is left alone, and not the registry") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        StoreShard shard(env, [](const ClientRequest& request) {
          return IsProxied(request) ? Fail(Errc::kIo) : GiveRange(request, kContent);
        });
        const auto source = co_await Open(shard, R"(,"proxy":{"url":"http://proxy:3128"})");
        for (int i = 0; i < 8; ++i) {
          const std::string bytes = co_await Read(*source);
          CHECK(bytes == kContent.substr(4, 5));
        }
        const auto& requests = shard.transport.requests();
        // The policy's five failures in a row, then the registry alone.
        CHECK(std::count_if(requests.begin(), requests.end(), IsProxied) == 5);
        CHECK(requests.size() == 5 + 8);
      },
      1);
}

TEST_CASE("without fallback nothing goes around the proxy of a registry") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      return IsProxied(request) ? Fail(Errc::kIo) : GiveRange(request, kContent);
    });
    const auto source = co_await Open(shard, R"(,"proxy":{"url":"http://proxy:3128","fallback":false})");
    const auto read = [](BlobSource& from) -> Task<void> { (void)co_await Read(from); };
    std::optional<Errc> code;
    try {
      co_await read(*source);
    } catch (const Error& error) {
      code = error.code();
    }
    CHECK(code == Errc::kIo);
    for (const ClientRequest& request : shard.transport.requests()) CHECK(IsProxied(request));
  });
}

}  // namespace sluice::backend
