// SPDX-License-Identifier: Apache-2.0
#include "backend/registry.h"

#include <utility>

#include "backend/fill.h"
#include "backend/relocating_transport.h"
#include "base/error.h"

namespace sluice::backend {

using runtime::Task;

namespace {

class RegistryStream final : public BlobStream {
 public:
  RegistryStream(std::shared_ptr<oci::Repository> repository, Digest digest, ByteRange range, runtime::Lane lane)
      : repository_(std::move(repository)), digest_(digest), range_(range), lane_(lane) {}

  Task<void> Read(MutableBytes dst) override {
    if (broken_) Throw(Errc::kIo, "'{}': the stream broke before", repository_->image().Name());
    broken_ = true;
    if (stream_ == nullptr) stream_ = co_await repository_->OpenBlob(digest_, std::nullopt, range_, lane_);
    co_await Fill(*stream_, dst);
    broken_ = false;
  }

 private:
  const std::shared_ptr<oci::Repository> repository_;
  const Digest digest_;
  const ByteRange range_;
  const runtime::Lane lane_;
  std::unique_ptr<http::RangeStream> stream_;
  bool broken_ = false;
};

class RegistrySource final : public BlobSource {
 public:
  RegistrySource(std::shared_ptr<oci::Repository> repository, Digest digest)
      : repository_(std::move(repository)), digest_(digest) {}

  Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    co_await repository_->ReadBlob(digest_, std::nullopt, offset, dst);
  }
  std::unique_ptr<BlobStream> OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) override {
    return std::make_unique<RegistryStream>(repository_, digest_, ByteRange{offset, length}, lane);
  }
  bool is_remote() const noexcept override { return true; }
  void Distrust() noexcept override { repository_->Distrust(); }
  std::string Describe() const override { return "registry '" + repository_->image().Name() + "'"; }

 private:
  const std::shared_ptr<oci::Repository> repository_;
  const Digest digest_;
};

// For the registry alone; a mirror gets the fields that are configured for it.
oci::RegistryCredentials CredentialsOf(const RegistryConfig& place) {
  if (place.user.empty() && place.token.empty()) return {};
  oci::Credentials credentials;
  credentials.user = place.user;
  credentials.password = place.password;
  credentials.registry_token = place.token;
  return {.registry = std::make_shared<oci::FixedCredentials>(std::move(credentials))};
}

// A repository whose answers pass through a transport of its own.
struct RelocatedRepository {
  RelocatedRepository(const Services& services, const RegistryConfig& place, const oci::RegistryReference& image,
                      oci::RepositoryOptions options)
      : transport(services.transport, place.blob_scheme, place.blob_host),
        repository({services.engine, transport, services.offload, services.health, services.rng}, image,
                   std::move(options)) {}
  RelocatingTransport transport;
  oci::Repository repository;
};

}  // namespace

std::unique_ptr<BlobSource> RegistryBackend::Open(const BlobId& id) const {
  return std::make_unique<RegistrySource>(repository_, Digest::FromHex(id.hex()));
}

std::shared_ptr<oci::Repository> MakeRepository(const Services& services, const RegistryConfig& place,
                                                const RemoteConfig& config, const RequestOptions& request) {
  const std::string origin = place.registry.origin().ToString();
  const oci::RegistryReference image{.host = origin.substr(origin.find("://") + 3), .repository = place.repository};
  oci::RepositoryOptions options{.credentials = CredentialsOf(place), .patience = request.patience};
  options.retry.tries = config.retries + 1;

  const oci::Endpoint registry{.api = place.registry.WithPath("/v2"),
                               .repository = place.repository,
                               .image = image,
                               .may_be_plain = !config.verify_tls,
                               .connect = request.connect,
                               .hedge = config.hedge};
  for (const MirrorConfig& mirror : config.mirrors) {
    oci::Endpoint endpoint = registry;
    endpoint.api = mirror.url.WithPath((mirror.url.path() == "/" ? "" : mirror.url.path()) + "/v2");
    const std::string host = mirror.url.origin().ToString();
    endpoint.image.host = host.substr(host.find("://") + 3);
    endpoint.may_be_plain = false;  // its scheme is written
    endpoint.is_mirror = true;
    endpoint.fields = mirror.fields;
    options.endpoints.push_back(std::move(endpoint));
  }
  if (config.proxy) {
    oci::Endpoint endpoint = registry;
    if (config.proxy->use_http) endpoint.api = AsPlainHttp(endpoint.api);
    endpoint.connect.proxies = std::make_shared<const http::ProxyRules>(config.proxy->proxy, "");
    endpoint.proxy = config.proxy->proxy.url.origin();
    options.endpoints.push_back(std::move(endpoint));
  }
  if (!config.proxy || config.proxy->fallback) options.endpoints.push_back(registry);

  auto relocated = std::make_shared<RelocatedRepository>(services, place, image, std::move(options));
  return {relocated, &relocated->repository};
}

}  // namespace sluice::backend
