// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "backend/factory.h"
#include "backend/local.h"
#include "backend/registry.h"
#include "base/error.h"
#include "oci/credential_files.h"
#include "runtime/semaphore.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

const char* Environment(const char* name) { return std::getenv(name); }

oci::RegistryCredentials CredentialsOf(const RegistrySpec& spec, const Secret& given, const NetworkOptions& options) {
  std::optional<oci::Credentials> credentials;
  if (!given.empty()) credentials = oci::Credentials::Parse(given.Reveal());
  std::vector<std::string> auth_files = spec.auth_files;
  if (auth_files.empty() && !options.auth_file.empty()) auth_files.push_back(options.auth_file);
  return oci::FindCredentials(std::move(credentials), auth_files, Environment);
}

http::CircuitPolicy CircuitOf(const NetworkOptions& options) {
  http::CircuitPolicy policy{.most_pause = options.most_pause};
  policy.first_pause = std::min(policy.first_pause, policy.most_pause);
  return policy;
}

}  // namespace

// Where blobs come from: found out by the first read, and again by the next one when that fails.
class Network::Place {
 public:
  // `backend`: null, or what is open already.
  Place(Network& network, BackendSpec spec, BackendSecrets secrets, std::unique_ptr<backend::Backend> backend = nullptr)
      : network_(network), spec_(std::move(spec)), secrets_(std::move(secrets)), backend_(std::move(backend)) {}

  bool Is(const BackendSpec& spec, const BackendSecrets& secrets) const { return spec == spec_ && secrets == secrets_; }

  Task<backend::Backend*> Open() {
    const runtime::Permit alone = co_await opening_.Acquire(1);
    if (backend_ == nullptr) backend_ = co_await network_.OpenBackend(spec_, secrets_);
    co_return backend_.get();
  }

  // As far as the specification says.
  bool is_remote() const noexcept { return std::holds_alternative<RegistrySpec>(spec_); }

  std::string Describe() const {
    const auto* registry = std::get_if<RegistrySpec>(&spec_);
    return registry == nullptr ? "the configured backend" : "registry '" + registry->repository + "'";
  }

 private:
  Network& network_;
  const BackendSpec spec_;
  const BackendSecrets secrets_;
  std::unique_ptr<backend::Backend> backend_;
  runtime::Semaphore opening_{1};
};

class Network::Source final : public backend::BlobSource {
 public:
  Source(std::shared_ptr<Place> place, const BlobId& id) : place_(std::move(place)), id_(id) {}

  Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    const std::shared_ptr<backend::BlobSource> source = co_await Open();
    co_await source->ReadAt(offset, dst);
  }
  std::unique_ptr<backend::BlobStream> OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) override;
  bool is_remote() const noexcept override { return source_ ? source_->is_remote() : place_->is_remote(); }
  void Distrust() noexcept override {
    if (source_) source_->Distrust();
  }
  std::string Describe() const override { return source_ ? source_->Describe() : place_->Describe(); }

  Task<std::shared_ptr<backend::BlobSource>> Open() {
    if (source_ == nullptr) {
      const backend::Backend* backend = co_await place_->Open();
      // Others may have come first.
      if (source_ == nullptr) source_ = backend->Open(id_);
    }
    co_return source_;
  }

 private:
  const std::shared_ptr<Place> place_;
  const BlobId id_;
  std::shared_ptr<backend::BlobSource> source_;  // null: nothing was read yet
};

class Network::Stream final : public backend::BlobStream {
 public:
  Stream(Source& opener, uint64_t offset, uint64_t length, runtime::Lane lane) noexcept
      : opener_(opener), offset_(offset), length_(length), lane_(lane) {}

  Task<void> Read(MutableBytes dst) override {
    if (stream_ == nullptr) {
      source_ = co_await opener_.Open();
      stream_ = source_->OpenStream(offset_, length_, lane_);
    }
    co_await stream_->Read(dst);
  }

 private:
  Source& opener_;
  const uint64_t offset_;
  const uint64_t length_;
  const runtime::Lane lane_;
  std::shared_ptr<backend::BlobSource> source_;  // outlives its stream
  std::unique_ptr<backend::BlobStream> stream_;  // null: nothing was read yet
};

std::unique_ptr<backend::BlobStream> Network::Source::OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) {
  return std::make_unique<Stream>(*this, offset, length, lane);
}

Network::Configuration Network::Configuration::Make(const NetworkOptions& options) {
  http::ProxyRules rules = options.proxy.empty()
                               ? http::ProxyRules::FromEnvironment(Environment)
                               : http::ProxyRules(http::Proxy::Parse(options.proxy), options.no_proxy);
  return {.options = options,
          .proxies = std::make_shared<const http::ProxyRules>(std::move(rules)),
          .hosts = oci::RegistryHosts(oci::RegistryHostsPaths::Default(Environment))};
}

Network::Network(runtime::Engine& engine, runtime::Offload& asking, const Configuration& configuration, uint64_t seed)
    : engine_(engine),
      asking_(asking),
      configuration_(configuration),
      rng_(seed),
      health_(engine, rng_, CircuitOf(configuration.options)),
      client_(engine) {}

Network::~Network() = default;

Task<std::shared_ptr<oci::Repository>> Network::OpenRepository(oci::RegistryReference image, RegistrySpec spec,
                                                               Secret credentials) {
  const NetworkOptions& options = configuration_.options;
  auto find = [&] {
    const oci::EndpointOptions wishes{.tls_verify = spec.tls_verify,
                                      .cert_dir = spec.cert_dir,
                                      .proxies = configuration_.proxies,
                                      .hedge = options.hedge};
    return configuration_.hosts.Find(image, wishes);
  };
  oci::RepositoryOptions repository;
  repository.endpoints = co_await asking_.Run(engine_, std::move(find));
  repository.credentials = CredentialsOf(spec, credentials, options);
  repository.retry = options.retry;
  repository.patience = {
      .connect = options.connect_timeout, .answer = options.answer_timeout, .low_speed_window = options.answer_timeout};
  const oci::RegistryServices services{
      .engine = engine_, .transport = client_, .offload = asking_, .health = health_, .rng = rng_};
  co_return std::make_shared<oci::Repository>(services, std::move(image), std::move(repository));
}

Task<void> Network::Prepare(oci::RegistryReference image, RegistrySpec spec, Secret credentials) {
  const std::shared_ptr<oci::Repository> repository = co_await OpenRepository(std::move(image), spec, credentials);
  Adopt(std::move(spec), std::move(credentials), repository);
  co_await repository->Prepare();
}

void Network::Adopt(RegistrySpec spec, Secret credentials, std::shared_ptr<oci::Repository> repository) {
  // Here, too: a shard may get ready for many images and never open one of their blobs.
  std::erase_if(places_, [](const auto& place) { return place.expired(); });
  BackendSecrets secrets{.credentials = std::move(credentials), .configuration = Secret()};
  std::erase_if(awaited_, [&](const auto& place) { return place->Is(spec, secrets); });
  if (awaited_.size() == kMostAwaited) awaited_.erase(awaited_.begin());
  auto backend = std::make_unique<backend::RegistryBackend>(std::move(repository));
  awaited_.push_back(std::make_shared<Place>(*this, std::move(spec), std::move(secrets), std::move(backend)));
  places_.push_back(awaited_.back());
}

Task<std::unique_ptr<backend::Backend>> Network::OpenBackend(BackendSpec spec, BackendSecrets secrets) {
  if (const auto* registry = std::get_if<RegistrySpec>(&spec)) {
    auto repository =
        co_await OpenRepository(oci::RegistryReference::Parse(registry->repository), *registry, secrets.credentials);
    co_return std::make_unique<backend::RegistryBackend>(std::move(repository));
  }
  if (const auto* directory = std::get_if<DirectorySpec>(&spec)) {
    co_return std::make_unique<backend::LocalBackend>(std::vector{directory->path});
  }
  backend::Services services{.engine = engine_,
                             .transport = client_,
                             .offload = asking_,
                             .health = health_,
                             .rng = rng_,
                             .wall_clock = wall_clock_,
                             .environment = Environment};
  auto config = backend::ParseBackendConfig(secrets.configuration.Reveal(), "backend configuration");
  co_return co_await backend::MakeBackend(std::move(services), std::move(config));
}

std::unique_ptr<backend::BlobSource> Network::OpenBlob(const BackendSpec& spec, const BackendSecrets& secrets,
                                                       const BlobId& id) {
  if (const auto* directory = std::get_if<DirectorySpec>(&spec)) {
    return backend::LocalBackend(std::vector{directory->path}).Open(id);
  }
  return std::make_unique<Source>(FindPlace(spec, secrets), id);
}

std::shared_ptr<Network::Place> Network::FindPlace(const BackendSpec& spec, const BackendSecrets& secrets) {
  std::erase_if(places_, [](const auto& place) { return place.expired(); });
  for (auto known = places_.rbegin(); known != places_.rend(); ++known) {
    auto place = known->lock();
    if (place == nullptr || !place->Is(spec, secrets)) continue;
    std::erase(awaited_, place);
    return place;
  }
  auto place = std::make_shared<Place>(*this, spec, secrets);
  places_.push_back(place);
  return place;
}

Task<void> Network::Close() {
  awaited_.clear();
  co_await client_.Close();
}

}  // namespace sluice::daemon
