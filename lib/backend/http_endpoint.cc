// SPDX-License-Identifier: Apache-2.0
#include "backend/http_endpoint.h"

#include <fmt/format.h>

#include <utility>

#include "base/limits.h"
#include "http/fetch.h"

namespace sluice::backend {

using http::ClientRequest;
using http::Url;
using runtime::Task;

namespace {

constexpr uint64_t kMaxPingBytes = 64 * kKiB;

}  // namespace

Url AsPlainHttp(const Url& url) {
  if (!url.secure()) return url;
  return Url::Parse("http" + url.ToString().substr(5));
}

std::string HttpEndpoint::Describe() const {
  const std::string& socket = options_.request.connect.unix_socket;
  const std::string place = options_.blobs.ForMessages();
  return socket.empty() ? place : fmt::format("{} by socket '{}'", place, socket);
}

Task<ClientRequest> HttpEndpoint::MakeRequest(BlobId id) {
  ClientRequest request("GET",
                        options_.one_blob ? options_.blobs : options_.blobs.WithPath(options_.blobs.path() + id.hex()));
  request.fields = options_.fields;
  request.connect = options_.request.connect;
  request.patience = options_.request.patience;
  co_return request;
}

ProxiedEndpoint::ProxiedEndpoint(std::unique_ptr<Endpoint> inner, http::Transport& transport, Options options)
    : inner_(std::move(inner)),
      transport_(transport),
      options_(std::move(options)),
      rules_(std::make_shared<const http::ProxyRules>(options_.proxy, "")) {}

std::string ProxiedEndpoint::Describe() const {
  return fmt::format("{} by proxy {}", inner_->Describe(), options_.proxy.url.ForMessages());
}

Task<ClientRequest> ProxiedEndpoint::MakeRequest(BlobId id) {
  if (options_.ping && has_failed_) {
    ClientRequest ping("GET", *options_.ping);
    ping.patience = options_.ping_patience;
    co_await http::FetchDocument(transport_, std::move(ping), kMaxPingBytes);
    has_failed_ = false;
  }
  ClientRequest request = co_await inner_->MakeRequest(std::move(id));
  if (options_.use_http) request.url = AsPlainHttp(request.url);
  request.connect.proxies = rules_;
  co_return request;
}

bool ProxiedEndpoint::ReportFailure(const Error& error) noexcept {
  has_failed_ = true;
  return inner_->ReportFailure(error);
}

}  // namespace sluice::backend
