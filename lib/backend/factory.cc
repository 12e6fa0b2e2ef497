// SPDX-License-Identifier: Apache-2.0
#include "backend/factory.h"

#include <fcntl.h>  // for O_RDONLY

#include <utility>

#include "backend/explaining_transport.h"
#include "backend/http_endpoint.h"
#include "backend/local.h"
#include "backend/local_disk.h"
#include "backend/object_store.h"
#include "backend/registry.h"
#include "backend/remote.h"
#include "base/error.h"
#include "runtime/file.h"

namespace sluice::backend {

using runtime::Task;

namespace {

constexpr uint64_t kMaxPemBytes = 4 * kMiB;  // a bundle of all authorities that there are has some 200 KiB

Task<std::string> ReadText(runtime::Engine& engine, std::string path, uint64_t most) {
  runtime::File file = co_await runtime::File::Open(engine, path, O_RDONLY);
  const uint64_t size = co_await file.Size();
  if (size > most) Throw(Errc::kLimit, "'{}' has {} bytes, more than {}", path, size, most);
  std::string text(size, '\0');
  co_await file.ReadExactly(std::as_writable_bytes(std::span(text)), 0);
  co_return text;
}

Task<std::shared_ptr<const http::TlsOptions>> ReadTls(runtime::Engine& engine, const RemoteConfig& config) {
  auto tls = std::make_shared<http::TlsOptions>();
  tls->verify = config.verify_tls;
  for (const std::string& path : config.ca_files) {
    tls->extra_ca += co_await ReadText(engine, path, kMaxPemBytes);
    tls->extra_ca += '\n';
  }
  if (!config.client_cert_file.empty()) {
    tls->client_cert = co_await ReadText(engine, config.client_cert_file, kMaxPemBytes);
    tls->client_key = co_await ReadText(engine, config.client_key_file, kMaxPemBytes);
  }
  co_return tls;
}

// The servers of a backend in the order of preference: mirrors, the forward proxy, the place itself.  `make` gives a
// new endpoint for the place, at which `blobs` with the id of a blob behind it is the URL of that.
template <typename F>
std::vector<std::unique_ptr<Endpoint>> MakeEndpoints(const Services& services, const RemoteConfig& config,
                                                     const RequestOptions& request, const http::Url& blobs, F make) {
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  for (const MirrorConfig& mirror : config.mirrors) {
    const std::string under = mirror.url.path() == "/" ? "" : mirror.url.path();
    HttpEndpoint::Options options{
        .blobs = mirror.url.WithPath(under + blobs.path()), .fields = mirror.fields, .request = request};
    options.request.connect.unix_socket.clear();
    endpoints.push_back(std::make_unique<HttpEndpoint>(std::move(options)));
  }
  if (config.proxy) {
    ProxiedEndpoint::Options options{.proxy = config.proxy->proxy,
                                     .ping = config.proxy->ping,
                                     .use_http = config.proxy->use_http,
                                     .ping_patience = request.patience};
    endpoints.push_back(std::make_unique<ProxiedEndpoint>(make(), services.transport, std::move(options)));
  }
  if (!config.proxy || config.proxy->fallback) endpoints.push_back(make());
  return endpoints;
}

RemoteBackend::Options MakeHttp(const Services& services, const HttpConfig& place, const RemoteConfig& config,
                                RequestOptions request) {
  request.connect.unix_socket = place.unix_socket;
  const std::string& path = place.prefix.path();
  const http::Url blobs = place.one_blob || path.ends_with('/') ? place.prefix : place.prefix.WithPath(path + "/");
  const auto make = [&] {
    return std::make_unique<HttpEndpoint>(
        HttpEndpoint::Options{.blobs = blobs, .one_blob = place.one_blob, .fields = place.fields, .request = request});
  };
  return RemoteBackend::Options{.endpoints = MakeEndpoints(services, config, request, blobs, make),
                                .description = make()->Describe()};
}

RemoteBackend::Options MakeObjectStore(const Services& services, const ObjectStoreConfig& place,
                                       const RemoteConfig& config, const RequestOptions& request) {
  const http::Url blobs = ObjectStore(services, place, request).UrlOf("");
  const auto make = [&] {
    return std::make_unique<ObjectEndpoint>(std::make_unique<ObjectStore>(services, place, request));
  };
  return RemoteBackend::Options{.endpoints = MakeEndpoints(services, config, request, blobs, make),
                                .description = make()->Describe(),
                                .explain = true};
}

}  // namespace

Task<BackendConfig> LoadBackendConfig(runtime::Engine& engine, std::string path) {
  const std::string text = co_await ReadText(engine, path, kMaxBackendConfigBytes);
  co_return ParseBackendConfig(text, "'" + path + "'");
}

Task<RequestOptions> ReadRequestOptions(Services services, RemoteConfig config) {
  RequestOptions request;
  request.connect.tls = co_await ReadTls(services.engine, config);
  if (!config.proxy) {
    request.connect.proxies =
        std::make_shared<const http::ProxyRules>(http::ProxyRules::FromEnvironment(services.environment));
  }
  request.patience.connect = config.connect_timeout;
  request.patience.answer = config.timeout;
  request.patience.low_speed_window = config.timeout;
  co_return request;
}

Task<std::unique_ptr<Backend>> MakeBackend(Services services, BackendConfig config) {
  if (auto* local = std::get_if<LocalDirectoriesConfig>(&config.place)) {
    if (!local->blob_file.empty()) co_return LocalBackend::OfFile(local->blob_file);
    co_return std::make_unique<LocalBackend>(std::move(local->directories));
  }
  if (auto* disk = std::get_if<LocalDiskConfig>(&config.place))
    co_return std::make_unique<LocalDiskBackend>(std::move(*disk));

  const RequestOptions request = co_await ReadRequestOptions(services, config.remote);
  if (const auto* registry = std::get_if<RegistryConfig>(&config.place))
    co_return std::make_unique<RegistryBackend>(MakeRepository(services, *registry, config.remote, request));
  RemoteBackend::Options options;
  if (const auto* http = std::get_if<HttpConfig>(&config.place)) {
    options = MakeHttp(services, *http, config.remote, request);
  } else {
    options = MakeObjectStore(services, std::get<ObjectStoreConfig>(config.place), config.remote, request);
  }
  options.retry.tries = config.remote.retries + 1;
  options.hedge = config.remote.hedge;
  co_return std::make_unique<RemoteBackend>(std::move(services), std::move(options));
}

}  // namespace sluice::backend
