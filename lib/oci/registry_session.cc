// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_session.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "http/client.h"
#include "http/proxy.h"
#include "oci/credential_files.h"

namespace sluice::oci {

using runtime::Task;

namespace {

constexpr Duration kWatchInterval = std::chrono::milliseconds(100);

const char* GetEnvironment(const char* name) { return std::getenv(name); }

uint64_t Seed() {
  uint64_t seed = 0;
  if (::getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) ThrowErrno(errno, "cannot get a random number");
  return seed;
}

RegistryCredentials CredentialsOf(const RegistryOptions& options) {
  std::vector<std::string> auth_files;
  if (!options.authfile.empty()) auth_files.push_back(options.authfile);
  return FindCredentials(options.credentials, auth_files, GetEnvironment);
}

}  // namespace

struct RegistrySession::Parts {
  explicit Parts(runtime::Engine& engine) : client(engine), rng(Seed()), health(engine, rng) {}
  http::Client client;
  Rng rng;
  http::HostHealth health;
};

// Asks again and again, on a timer of the engine.
class RegistrySession::Watch final : private runtime::Timer {
 public:
  Watch(runtime::Engine& engine, const std::function<bool()>& interrupted, runtime::LinkedStopSource& stop)
      : engine_(engine), interrupted_(interrupted), stop_(stop) {
    engine_.Arm(*this, engine_.Now());
  }
  ~Watch() override { engine_.Disarm(*this); }

 private:
  void OnTimer() noexcept override {
    if (interrupted_()) {
      stop_.RequestStop();
    } else {
      engine_.Arm(*this, engine_.Now() + kWatchInterval);
    }
  }
  runtime::Engine& engine_;
  const std::function<bool()>& interrupted_;
  runtime::LinkedStopSource& stop_;
};

RegistrySession::RegistrySession(RegistryOptions options)
    : options_(std::move(options)),
      hosts_(RegistryHostsPaths::Default(GetEnvironment)),
      credentials_(CredentialsOf(options_)),
      proxies_(std::make_shared<const http::ProxyRules>(http::ProxyRules::FromEnvironment(GetEnvironment))),
      offload_(1),
      shards_(1, runtime::EngineKind::kAuto) {
  auto make = [this]() -> Task<void> {
    parts_ = std::make_unique<Parts>(engine());
    co_return;
  };
  runtime::BlockOn(shard(), std::move(make));
}

RegistrySession::~RegistrySession() {
  auto close = [this]() -> Task<void> {
    co_await parts_->client.Close();
    parts_.reset();
  };
  runtime::BlockOn(shard(), std::move(close));
}

RegistryServices RegistrySession::services() noexcept {
  return {engine(), parts_->client, offload_, parts_->health, parts_->rng};
}

RepositoryOptions RegistrySession::OptionsFor(const RegistryReference& image) const {
  EndpointOptions endpoint{.tls_verify = options_.tls_verify, .cert_dir = options_.cert_dir, .proxies = proxies_};
  RepositoryOptions options{.endpoints = hosts_.Find(image, endpoint), .credentials = credentials_};
  options.retry.tries = options_.retry_times + 1;
  return options;
}

std::unique_ptr<RegistrySession::Watch, void (*)(RegistrySession::Watch*)> RegistrySession::StartWatch(
    runtime::LinkedStopSource& stop) {
  Watch* watch = options_.interrupted ? new Watch(engine(), options_.interrupted, stop) : nullptr;
  return {watch, [](Watch* w) { delete w; }};
}

}  // namespace sluice::oci
