// SPDX-License-Identifier: Apache-2.0
#include "backend/request_signature.h"

#include <catch2/catch.hpp>

#include "base/digest.h"

namespace sluice::backend {
namespace {

WallTime At(int64_t unix_seconds) { return WallTime(std::chrono::seconds(unix_seconds)); }

std::string ValueOf(const SignatureFields& fields, std::string_view name) {
  for (const auto& [field, value] : fields)
    if (field == name) return value;
  return "(missing)";
}

std::string Sha256(std::string_view text) { return DigestOf(DigestAlgorithm::kSha256, AsBytes(text)).Hex(); }

// docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Examples: Signature Calculations".
const AccessKey kAwsKey{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret()};
constexpr int64_t kAwsTime = 1369353600;  // 2013-05-24 00:00:00
const std::string kAwsHost = "examplebucket.s3.amazonaws.com";

struct AwsExample {
  std::string name;
  SignableRequest request;
  std::string signed_fields;
  std::string signature;
};

// The examples of the OSS client library that Alibaba publishes for Go (oss/signer/signer_test.go).
const AccessKey kOssKey{"ak", Secret("sk"), Secret()};
constexpr int64_t kOssV1Time = 1672223261;  // Wed, 28 Dec 2022 10:27:41 GMT

SignableRequest OssV4Request() {
  return SignableRequest{.method = "PUT",
                         .bucket = "bucket",
                         .key = "1234+-/123/1.txt",
                         .query = {{"param1", "value1"},
                                   {"+param1", "value3"},
                                   {"|param1", "value4"},
                                   {"+param2", ""},
                                   {"|param2", ""},
                                   {"param2", ""}},
                         .fields = {{"x-oss-head1", "value"}, {"content-type", "text/plain"}}};
}

}  // namespace

TEST_CASE("AWS signatures have their published values") {
  const std::string empty = Sha256("");
  const AwsExample examples[] = {
      {"GET object",
       {.method = "GET",
        .bucket = "examplebucket",
        .key = "test.txt",
        .fields = {{"host", kAwsHost}, {"range", "bytes=0-9"}},
        .payload_sha256 = empty},
       "host;range;x-amz-content-sha256;x-amz-date",
       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {"PUT object",
       {.method = "PUT",
        .bucket = "examplebucket",
        .key = "test$file.text",
        .fields = {{"host", kAwsHost},
                   {"date", "Fri, 24 May 2013 00:00:00 GMT"},
                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
        .payload_sha256 = Sha256("Welcome to Amazon S3.")},
       "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
      {"GET bucket lifecycle",
       {.method = "GET",
        .bucket = "examplebucket",
        .query = {{"lifecycle", ""}},
        .fields = {{"host", kAwsHost}},
        .payload_sha256 = empty},
       "host;x-amz-content-sha256;x-amz-date",
       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {"list objects",
       {.method = "GET",
        .bucket = "examplebucket",
        .query = {{"prefix", "J"}, {"max-keys", "2"}},
        .fields = {{"host", kAwsHost}},
        .payload_sha256 = empty},
       "host;x-amz-content-sha256;x-amz-date",
       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
  for (const AwsExample& example : examples) {
    INFO(example.name);
    const auto fields = SignAwsV4(example.request, kAwsKey, "us-east-1", At(kAwsTime));
    CHECK(ValueOf(fields, "authorization") ==
          "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" +
              example.signed_fields + ",Signature=" + example.signature);
    CHECK(ValueOf(fields, "x-amz-date") == "20130524T000000Z");
    CHECK(ValueOf(fields, "x-amz-content-sha256") == example.request.payload_sha256);
  }
}

TEST_CASE("an AWS signature covers the token, and says when the payload is not covered") {
  SignableRequest request{
      .method = "GET", .bucket = "b", .key = "k", .bucket_in_path = true, .fields = {{"host", "h"}}};
  AccessKey key = kAwsKey;
  const auto without = SignAwsV4(request, key, "us-east-1", At(kAwsTime));
  CHECK(ValueOf(without, "x-amz-security-token") == "(missing)");
  CHECK(ValueOf(without, "x-amz-content-sha256") == "UNSIGNED-PAYLOAD");
  key.session_token = Secret("token");
  const auto with = SignAwsV4(request, key, "us-east-1", At(kAwsTime));
  CHECK(ValueOf(with, "x-amz-security-token") == "token");
  CHECK_THAT(ValueOf(with, "authorization"), Catch::Contains(";x-amz-security-token,"));
  CHECK_THAT(ValueOf(without, "authorization"), !Catch::Contains("x-amz-security-token"));
}

TEST_CASE("OSS signatures of version 1 have their published values") {
  const SignableRequest::Pairs put_fields{{"content-md5", "eB5eJF1ptWaXm4bijSPyxw=="},
                                          {"content-type", "text/html"},
                                          {"x-oss-meta-author", "alice"},
                                          {"x-oss-meta-magic", "abracadabra"}};
  SignableRequest request{.method = "PUT", .bucket = "examplebucket", .key = "nelson", .fields = put_fields};
  auto fields = SignOssV1(request, kOssKey, At(kOssV1Time));
  CHECK(ValueOf(fields, "x-oss-date") == "Wed, 28 Dec 2022 10:27:41 GMT");
  CHECK(ValueOf(fields, "authorization") == "OSS ak:kSHKmLxlyEAKtZPkJhG9bZb5k7M=");
  request.query = {{"acl", ""}};
  fields = SignOssV1(request, kOssKey, At(kOssV1Time));
  CHECK(ValueOf(fields, "authorization") == "OSS ak:/afkugFbmWDQ967j1vr6zygBLQk=");
  // What is no part of the resource does not count.
  request.query = {{"prefix", "x"}, {"acl", ""}};
  CHECK(SignOssV1(request, kOssKey, At(kOssV1Time)) == fields);
}

TEST_CASE("OSS signatures of version 4 have their published values") {
  SignableRequest request = OssV4Request();
  auto fields = SignOssV4(request, kOssKey, "cn-hangzhou", At(1702743657));
  CHECK(ValueOf(fields, "x-oss-date") == "20231216T162057Z");
  CHECK(ValueOf(fields, "authorization") ==
        "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,"
        "Signature=e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe");

  AccessKey temporary = kOssKey;
  temporary.session_token = Secret("token");
  fields = SignOssV4(request, temporary, "cn-hangzhou", At(1702784856));
  CHECK(ValueOf(fields, "x-oss-security-token") == "token");
  CHECK(ValueOf(fields, "authorization") ==
        "OSS4-HMAC-SHA256 Credential=ak/20231217/cn-hangzhou/oss/aliyun_v4_request,"
        "Signature=b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea");

  request.fields.insert(request.fields.end(), {{"zabc", "value"}, {"abc", "value"}});
  fields = SignOssV4(request, kOssKey, "cn-hangzhou", At(1702747512));
  CHECK(ValueOf(fields, "authorization") ==
        "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,AdditionalHeaders=abc;zabc,"
        "Signature=4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f");
}

TEST_CASE("paths and queries are encoded once, byte by byte") {
  SignableRequest request{
      .method = "GET", .bucket = "b", .key = "a b/\xC3\xA4+%/~._-", .query = {{"x y", "&="}, {"uploads", ""}}};
  CHECK(EncodedPath(request) == "/a%20b/%C3%A4%2B%25/~._-");
  CHECK(EncodedQuery(request) == "x%20y=%26%3D&uploads");
  request.bucket_in_path = true;
  CHECK(EncodedPath(request) == "/b/a%20b/%C3%A4%2B%25/~._-");
  request.key.clear();
  CHECK(EncodedPath(request) == "/b/");
}

}  // namespace sluice::backend
