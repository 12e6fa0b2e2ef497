// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bucket of an S3 or OSS service: names, addresses and signed requests.  Belongs to one shard.

#include <memory>
#include <string>

#include "backend/config.h"
#include "backend/endpoint.h"
#include "backend/http_endpoint.h"
#include "backend/object_credentials.h"
#include "backend/request_signature.h"
#include "backend/services.h"

namespace sluice::backend {

class ObjectStore {
 public:
  ObjectStore(Services services, ObjectStoreConfig config, RequestOptions options);

  // "s3://bucket/prefix", "oss://bucket/prefix".
  std::string Describe() const;
  const http::Origin& origin() const noexcept { return base_.origin(); }
  // Where an object is for somebody who needs no signature.
  http::Url UrlOf(const std::string& name) const;

  struct Operation {
    std::string method;
    std::string name;  // of the object, without the prefix of the configuration
    SignableRequest::Pairs query;
    std::string payload_sha256;  // of the body, lower-case hexadecimal; empty: the signature does not cover it
  };
  // Throws the errors of ObjectCredentials::Get.
  runtime::Task<http::ClientRequest> MakeRequest(Operation operation);
  // The store refused the keys.  True: the next request may have others.
  bool ForgetKeys() noexcept { return credentials_.Forget(); }

 private:
  SignableRequest Signable(const Operation& operation) const;

  const Services services_;
  const ObjectStoreConfig config_;
  const RequestOptions options_;
  const http::Url base_;  // with the bucket in its host where that is wanted; the path is "/"
  ObjectCredentials credentials_;
};

// The blobs in a bucket.
class ObjectEndpoint final : public Endpoint {
 public:
  explicit ObjectEndpoint(std::unique_ptr<ObjectStore> store) noexcept : store_(std::move(store)) {}

  const http::Origin& origin() const noexcept override { return store_->origin(); }
  std::string Describe() const override { return store_->Describe() + " at " + origin().ToString(); }
  runtime::Task<http::ClientRequest> MakeRequest(BlobId id) override;
  bool ReportFailure(const Error& error) noexcept override;

 private:
  const std::unique_ptr<ObjectStore> store_;
};

}  // namespace sluice::backend
