// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signatures of requests to object stores: pure functions of request, key and time.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"

namespace sluice::backend {

struct AccessKey {
  std::string id;
  Secret secret;
  Secret session_token;  // of temporary keys; empty for others

  bool operator==(const AccessKey&) const = default;
};

// What a signature covers.  Names and values are not encoded.
struct SignableRequest {
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  std::string method;
  std::string bucket;
  std::string key;              // of the object; empty: the bucket itself
  bool bucket_in_path = false;  // the URL's path is /bucket/key, else /key and the bucket is in the host name
  Pairs query;                  // in any order; an empty value is a parameter without '='
  Pairs fields;                 // lower-case names.  All of them are signed, so only what nobody on the way changes
  std::string payload_sha256;   // lower-case hexadecimal; empty: not covered
};

// The fields to send with the request, Authorization and the token among them: all of them are secret.
using SignatureFields = SignableRequest::Pairs;

// AWS Signature Version 4 for S3 (docs.aws.amazon.com, "Authenticating Requests: Using the Authorization Header").
// `request.fields` holds "host".
SignatureFields SignAwsV4(const SignableRequest& request, const AccessKey& key, std::string_view region, WallTime now);

// Alibaba Cloud OSS, "Include signatures in the Authorization header", version 1: HMAC-SHA1.
SignatureFields SignOssV1(const SignableRequest& request, const AccessKey& key, WallTime now);

// Alibaba Cloud OSS, version 4: HMAC-SHA256.
SignatureFields SignOssV4(const SignableRequest& request, const AccessKey& key, std::string_view region, WallTime now);

// The path of the object in a URL: encoded byte by byte except letters, digits, "-._~" and '/'.
std::string EncodedPath(const SignableRequest& request);
// The query in a URL without '?', encoded and in the order of `request`.
std::string EncodedQuery(const SignableRequest& request);

}  // namespace sluice::backend
