// SPDX-License-Identifier: Apache-2.0
#include "pushing_target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <random>
#include <utility>

#include "backend/factory.h"
#include "backend/object_place.h"
#include "backend/object_upload.h"
#include "base/error.h"
#include "base/fd.h"
#include "http/client.h"
#include "ignored_keys.h"
#include "runtime/context.h"
#include "runtime/file.h"
#include "runtime/offload.h"
#include "runtime/stop.h"
#include "runtime/timer.h"
#include "runtime/wall_clock.h"

namespace sluice::tools {

using runtime::Task;

namespace {

constexpr auto kSignalInterval = std::chrono::milliseconds(100);
// Nobody waits for a page here: a store that is away for a while is waited for.
constexpr http::RetryPolicy kRetry{.tries = 8, .budget = std::chrono::minutes(2)};

backend::BackendConfig ReadPlace(runtime::Engine& engine, const std::string& place) {
  backend::BackendConfig config = place.find("://") != std::string::npos
                                      ? backend::ParseObjectPlace(place, ::getenv)
                                      : engine.Run(backend::LoadBackendConfig(engine, place));
  TellIgnoredKeys(config);
  if (!std::holds_alternative<backend::ObjectStoreConfig>(config.place))
    Throw(Errc::kInvalidArgument, "'{}' describes no object store: blobs are pushed to s3 and oss only", place);
  return config;
}

// A file without a name, gone when it is closed.
UniqueFd MakeSpool() {
  const char* const wanted = ::getenv("TMPDIR");
  const std::string directory = wanted != nullptr && *wanted == '/' ? wanted : "/var/tmp";
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) ThrowErrno(errno, "cannot make a temporary file in '{}'", directory);
  return fd;
}

// Asks for a stop when a signal waits.
class SignalWatch final : private runtime::Timer {
 public:
  // All outlive it.
  SignalWatch(runtime::Engine& engine, const SignalHold& signals, runtime::LinkedStopSource& stop)
      : engine_(engine), signals_(signals), stop_(stop) {
    Arm();
  }
  ~SignalWatch() override { engine_.Disarm(*this); }

 private:
  void Arm() noexcept { engine_.Arm(*this, engine_.Now() + kSignalInterval); }
  void OnTimer() noexcept override {
    try {
      signals_.Check();
      Arm();
    } catch (const Error&) {
      stop_.RequestStop();
    }
  }

  runtime::Engine& engine_;
  const SignalHold& signals_;
  runtime::LinkedStopSource& stop_;
};

Task<void> UnlessSignalled(runtime::Engine& engine, const SignalHold& signals, Task<bool> task) {
  const runtime::Context& outer = co_await runtime::CurrentContext();
  runtime::LinkedStopSource stop(outer.stop);
  const runtime::Context context{engine, stop.token()};
  const SignalWatch watch(engine, signals, stop);
  co_await runtime::InContext(task, context);
}

}  // namespace

// The uploader with all that it runs on, in this thread.
class PushingTarget::Store {
 public:
  Store(const std::string& place, const SignalHold& signals) : signals_(signals), config_(ReadPlace(*engine_, place)) {
    const auto request = engine_->Run(backend::ReadRequestOptions(services_, config_.remote));
    auto store =
        std::make_unique<backend::ObjectStore>(services_, std::get<backend::ObjectStoreConfig>(config_.place), request);
    uploader_ = std::make_unique<backend::ObjectUploader>(services_, std::move(store), kRetry);
  }
  ~Store() {
    uploader_.reset();
    engine_->Run(client_.Close());
  }

  // Ends when the store has the first `size` bytes of `fd` under this name.
  void Put(const std::string& name, UniqueFd fd, uint64_t size) {
    runtime::File file = runtime::File::Adopt(*engine_, std::move(fd), "blob " + name);
    try {
      engine_->Run(UnlessSignalled(*engine_, signals_, uploader_->Put(name, file, size)));
    } catch (Error& e) {
      signals_.Check();
      e.AddContext(uploader_->Describe());
      throw;
    }
  }

 private:
  const SignalHold& signals_;
  const std::unique_ptr<runtime::Engine> engine_ = runtime::MakeEngine(runtime::EngineKind::kAuto);
  const backend::BackendConfig config_;
  runtime::Offload offload_{1};
  Rng rng_{std::random_device()()};
  http::HostHealth health_{*engine_, rng_};
  http::Client client_{*engine_};
  const runtime::SystemWallClock wall_clock_;
  const backend::Services services_{*engine_, client_, offload_, health_, rng_, wall_clock_, ::getenv};
  std::unique_ptr<backend::ObjectUploader> uploader_;
};

// Into the image and into a file, which is put into the store when it is complete and its name known.
class PushingTarget::Writer final : public oci::BlobWriter {
 public:
  Writer(std::unique_ptr<oci::BlobWriter> inner, Store& store)
      : inner_(std::move(inner)), store_(store), spool_(MakeSpool()) {}

  void Write(ConstBytes bytes) override {
    inner_->Write(bytes);
    while (!bytes.empty()) {
      const ssize_t written = ::write(spool_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) ThrowErrno(errno, "cannot write a temporary file");
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
  oci::StoredBlob Finish() override {
    const oci::StoredBlob stored = inner_->Finish();
    store_.Put(stored.digest.Hex(), std::move(spool_), stored.size);
    return stored;
  }

 private:
  const std::unique_ptr<oci::BlobWriter> inner_;
  Store& store_;
  UniqueFd spool_;
};

PushingTarget::PushingTarget(std::unique_ptr<oci::ImageTarget> inner, const std::string& place,
                             const SignalHold& signals)
    : inner_(std::move(inner)), store_(std::make_unique<Store>(place, signals)) {}

PushingTarget::~PushingTarget() = default;

std::unique_ptr<oci::BlobWriter> PushingTarget::NewChunkBlob() {
  return std::make_unique<Writer>(inner_->NewChunkBlob(), *store_);
}

oci::Descriptor PushingTarget::Commit(const oci::StoredManifest& manifest,
                                      const std::optional<oci::Platform>& platform) {
  return inner_->Commit(manifest, platform);
}

}  // namespace sluice::tools
