// SPDX-License-Identifier: Apache-2.0
#pragma once
// Servers that give blobs to whoever knows their URL: plain ones, mirrors, and forward proxies in front of others.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/endpoint.h"
#include "http/proxy.h"

namespace sluice::backend {

// How all requests of a backend are sent.
struct RequestOptions {
  http::ConnectOptions connect;
  http::Patience patience;
};

// The same place by plain http, with the port that the URL names or its scheme implies left to whoever forwards it.
http::Url AsPlainHttp(const http::Url& url);

class HttpEndpoint final : public Endpoint {
 public:
  struct Options {
    http::Url blobs;                  // with the id of a blob behind it: the URL of that
    bool one_blob = false;            // `blobs` is the blob, whatever its id
    std::vector<http::Field> fields;  // sent with each request
    RequestOptions request;
  };
  explicit HttpEndpoint(Options options) : options_(std::move(options)) {}

  const http::Origin& origin() const noexcept override { return options_.blobs.origin(); }
  std::string Describe() const override;
  runtime::Task<http::ClientRequest> MakeRequest(BlobId id) override;
  bool ReportFailure(const Error&) noexcept override { return false; }

 private:
  const Options options_;
};

// Another endpoint, asked through a forward proxy.  It is the proxy whose health counts.
class ProxiedEndpoint final : public Endpoint {
 public:
  struct Options {
    http::Proxy proxy;
    std::optional<http::Url> ping;  // asked before the proxy is used again after a failure
    bool use_http = false;          // https URLs are asked of the proxy as http
    http::Patience ping_patience;
  };
  // `transport` outlives the endpoint.
  ProxiedEndpoint(std::unique_ptr<Endpoint> inner, http::Transport& transport, Options options);

  const http::Origin& origin() const noexcept override { return options_.proxy.url.origin(); }
  std::string Describe() const override;
  runtime::Task<http::ClientRequest> MakeRequest(BlobId id) override;
  bool ReportFailure(const Error& error) noexcept override;

 private:
  const std::unique_ptr<Endpoint> inner_;
  http::Transport& transport_;
  const Options options_;
  const std::shared_ptr<const http::ProxyRules> rules_;
  bool has_failed_ = false;  // since it was last known to be alive
};

}  // namespace sluice::backend
