// SPDX-License-Identifier: Apache-2.0
#include "backend/object_store.h"

#include <utility>

#include "base/error.h"

namespace sluice::backend {

using http::ClientRequest;
using http::Url;
using runtime::Task;

namespace {

Url BaseOf(const ObjectStoreConfig& config) {
  if (!config.virtual_hosted) return config.endpoint;
  const std::string origin = config.endpoint.origin().ToString();
  const size_t host = origin.find("://") + 3;
  return Url::Parse(origin.substr(0, host) + config.bucket + "." + origin.substr(host));
}

// The sha256 of nothing: the body of requests without one.
constexpr std::string_view kNoPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool HasBody(std::string_view method) { return method == "PUT" || method == "POST"; }

// What a Host field says: the port only where it is not the scheme's own.
std::string HostOf(const Url& url) {
  const std::string origin = url.origin().ToString();
  return origin.substr(origin.find("://") + 3);
}

}  // namespace

ObjectStore::ObjectStore(Services services, ObjectStoreConfig config, RequestOptions options)
    : services_(services),
      config_(std::move(config)),
      options_(std::move(options)),
      base_(BaseOf(config_)),
      credentials_(std::move(services), config_.credentials, config_.signature) {}

std::string ObjectStore::Describe() const {
  return (config_.signature == ObjectSignature::kAwsV4 ? "s3://" : "oss://") + config_.bucket + "/" + config_.prefix;
}

SignableRequest ObjectStore::Signable(const Operation& operation) const {
  return SignableRequest{
      .method = operation.method,
      .bucket = config_.bucket,
      .key = config_.prefix + operation.name,
      .bucket_in_path = !config_.virtual_hosted,
      .query = operation.query,
      .fields = {{"host", HostOf(base_)}},
      .payload_sha256 = HasBody(operation.method) ? operation.payload_sha256 : std::string(kNoPayload)};
}

Url ObjectStore::UrlOf(const std::string& name) const {
  const Operation operation{.method = "GET", .name = name};
  return base_.WithPath(EncodedPath(Signable(operation)));
}

Task<ClientRequest> ObjectStore::MakeRequest(Operation operation) {
  const SignableRequest signable = Signable(operation);
  ClientRequest request(operation.method, base_.WithPath(EncodedPath(signable)).WithRawQuery(EncodedQuery(signable)));
  request.connect = options_.connect;
  request.patience = options_.patience;
  const std::optional<AccessKey> key = co_await credentials_.Get();
  if (!key) co_return request;
  const WallTime now = services_.wall_clock.Now();
  SignatureFields fields;
  switch (config_.signature) {
    case ObjectSignature::kAwsV4: fields = SignAwsV4(signable, *key, config_.region, now); break;
    case ObjectSignature::kOssV1: fields = SignOssV1(signable, *key, now); break;
    case ObjectSignature::kOssV4: fields = SignOssV4(signable, *key, config_.region, now); break;
  }
  for (auto& [name, value] : fields)
    request.fields.push_back({.name = name, .value = std::move(value), .secret = true});
  co_return request;
}

Task<ClientRequest> ObjectEndpoint::MakeRequest(BlobId id) {
  ObjectStore::Operation operation{.method = "GET", .name = id.hex()};
  co_return co_await store_->MakeRequest(std::move(operation));
}

bool ObjectEndpoint::ReportFailure(const Error& error) noexcept {
  return error.code() == Errc::kPermission && store_->ForgetKeys();
}

}  // namespace sluice::backend
