// SPDX-License-Identifier: Apache-2.0
#include "backend/request_signature.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/base64.h"
#include "base/digest.h"
#include "base/hmac.h"
#include "http/percent.h"

namespace sluice::backend {
namespace {

using Pairs = SignableRequest::Pairs;

std::tm Calendar(WallTime time) { return fmt::gmtime(time.time_since_epoch().count()); }
std::string Day(WallTime time) { return fmt::format("{:%Y%m%d}", Calendar(time)); }
std::string BasicTime(WallTime time) { return fmt::format("{:%Y%m%dT%H%M%SZ}", Calendar(time)); }

// The date of RFC 9110 section 5.6.7, without the locale that strftime would ask.
std::string HttpDate(WallTime time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm at = Calendar(time);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[at.tm_wday], at.tm_mday, kMonths[at.tm_mon],
                     at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

std::string Sha256Hex(std::string_view text) { return DigestOf(DigestAlgorithm::kSha256, AsBytes(text)).Hex(); }

std::string EncodeKeepingSlashes(std::string_view text) {
  std::string encoded;
  for (size_t at = 0;;) {
    const size_t slash = text.find('/', at);
    encoded += http::PercentEncode(text.substr(at, slash - at));
    if (slash == std::string_view::npos) return encoded;
    encoded += '/';
    at = slash + 1;
  }
}

Pairs Sorted(Pairs pairs) {
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

// `bare_equals`: a parameter without a value is followed by '=' all the same.
std::string JoinQuery(const Pairs& encoded, bool bare_equals) {
  std::string query;
  for (const auto& [name, value] : encoded) {
    if (!query.empty()) query += '&';
    query += name;
    if (bare_equals || !value.empty()) query += '=' + value;
  }
  return query;
}

Pairs EncodePairs(const Pairs& pairs) {
  Pairs encoded;
  for (const auto& [name, value] : pairs) encoded.emplace_back(http::PercentEncode(name), http::PercentEncode(value));
  return encoded;
}

// "name:value\n" for each.
std::string FieldLines(const Pairs& fields) {
  std::string lines;
  for (const auto& [name, value] : fields) lines += name + ':' + value + '\n';
  return lines;
}

// "a;b" for all of the fields that `select` takes.
template <typename F>
std::string FieldNames(const Pairs& fields, F select) {
  std::string names;
  for (const auto& [name, value] : fields) {
    if (!select(name)) continue;
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

// The chain of keys that both versions 4 share: each part of the scope is hashed with the key before it.
Digest ScopedSignature(std::string_view prefix, const Secret& secret, std::initializer_list<std::string_view> scope,
                       std::string_view text) {
  const Secret first(std::string(prefix) + secret.Reveal());
  ConstBytes key = AsBytes(first.Reveal());
  Digest derived;
  for (const std::string_view part : scope) {
    derived = HmacSha256(key, part);
    key = derived.bytes;
  }
  return HmacSha256(key, text);
}

// The parameters that are part of an OSS V1 resource, as far as we send them.
bool IsOssSubresource(const std::string& name) {
  static constexpr std::string_view kNames[] = {"acl", "partNumber", "uploadId", "uploads", "versionId"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool IsOssField(std::string_view name) { return name.starts_with("x-oss-"); }

const std::string* FindField(const Pairs& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

}  // namespace

std::string EncodedPath(const SignableRequest& request) {
  return EncodeKeepingSlashes((request.bucket_in_path ? "/" + request.bucket : std::string()) + "/" + request.key);
}

std::string EncodedQuery(const SignableRequest& request) { return JoinQuery(EncodePairs(request.query), false); }

SignatureFields SignAwsV4(const SignableRequest& request, const AccessKey& key, std::string_view region, WallTime now) {
  const std::string payload = request.payload_sha256.empty() ? "UNSIGNED-PAYLOAD" : request.payload_sha256;
  SignatureFields added{{"x-amz-content-sha256", payload}, {"x-amz-date", BasicTime(now)}};
  if (!key.session_token.empty()) added.emplace_back("x-amz-security-token", key.session_token.Reveal());

  Pairs fields = request.fields;
  fields.insert(fields.end(), added.begin(), added.end());
  fields = Sorted(std::move(fields));
  const std::string names = FieldNames(fields, [](const std::string&) { return true; });
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, EncodedPath(request),
                  JoinQuery(Sorted(EncodePairs(request.query)), true), FieldLines(fields), names, payload);
  const std::string day = Day(now);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, region);
  const std::string text = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", BasicTime(now), scope, Sha256Hex(canonical));
  const Digest signature = ScopedSignature("AWS4", key.secret, {day, region, "s3", "aws4_request"}, text);
  added.emplace_back("authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                                                  key.id, scope, names, signature.Hex()));
  return added;
}

SignatureFields SignOssV1(const SignableRequest& request, const AccessKey& key, WallTime now) {
  SignatureFields added{{"x-oss-date", HttpDate(now)}};
  if (!key.session_token.empty()) added.emplace_back("x-oss-security-token", key.session_token.Reveal());

  Pairs fields = request.fields;
  fields.insert(fields.end(), added.begin(), added.end());
  const auto value_of = [&](std::string_view name) {
    const std::string* value = FindField(fields, name);
    return value != nullptr ? *value : std::string();
  };
  Pairs oss_fields;
  for (const auto& field : Sorted(fields))
    if (IsOssField(field.first)) oss_fields.push_back(field);
  Pairs subresources;
  for (const auto& parameter : Sorted(request.query))
    if (IsOssSubresource(parameter.first)) subresources.push_back(parameter);
  const std::string subresource =
      JoinQuery(subresources, false);  // as it is: only paths and queries of URLs are encoded

  const std::string text = fmt::format("{}\n{}\n{}\n{}\n{}/{}/{}{}{}", request.method, value_of("content-md5"),
                                       value_of("content-type"), value_of("x-oss-date"), FieldLines(oss_fields),
                                       request.bucket, request.key, subresource.empty() ? "" : "?", subresource);
  const auto signature = HmacSha1(AsBytes(key.secret.Reveal()), text);
  added.emplace_back("authorization", fmt::format("OSS {}:{}", key.id, EncodeBase64(signature)));
  return added;
}

SignatureFields SignOssV4(const SignableRequest& request, const AccessKey& key, std::string_view region, WallTime now) {
  const std::string payload = "UNSIGNED-PAYLOAD";  // the only value that OSS takes
  SignatureFields added{{"x-oss-content-sha256", payload}, {"x-oss-date", BasicTime(now)}};
  if (!key.session_token.empty()) added.emplace_back("x-oss-security-token", key.session_token.Reveal());

  Pairs fields = request.fields;
  fields.insert(fields.end(), added.begin(), added.end());
  fields = Sorted(std::move(fields));
  // These are signed without being named.
  const auto is_additional = [](const std::string& name) {
    return name != "content-type" && name != "content-md5" && !IsOssField(name);
  };
  const std::string additional = FieldNames(fields, is_additional);
  // The bucket is part of the path that is signed, wherever it is in the URL.
  const std::string canonical = fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}", request.method, EncodeKeepingSlashes("/" + request.bucket + "/" + request.key),
      JoinQuery(Sorted(EncodePairs(request.query)), false), FieldLines(fields), additional, payload);
  const std::string day = Day(now);
  const std::string scope = fmt::format("{}/{}/oss/aliyun_v4_request", day, region);
  const std::string text = fmt::format("OSS4-HMAC-SHA256\n{}\n{}\n{}", BasicTime(now), scope, Sha256Hex(canonical));
  const Digest signature = ScopedSignature("aliyun_v4", key.secret, {day, region, "oss", "aliyun_v4_request"}, text);
  added.emplace_back("authorization",
                     fmt::format("OSS4-HMAC-SHA256 Credential={}/{}{}{},Signature={}", key.id, scope,
                                 additional.empty() ? "" : ",AdditionalHeaders=", additional, signature.Hex()));
  return added;
}

}  // namespace sluice::backend
