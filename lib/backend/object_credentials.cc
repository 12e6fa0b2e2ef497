// SPDX-License-Identifier: Apache-2.0
#include "backend/object_credentials.h"

#include <fcntl.h>  // for O_RDONLY

#include <charconv>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "http/fetch.h"
#include "oci/json.h"
#include "runtime/file.h"

namespace sluice::backend {

using http::ClientRequest;
using runtime::Task;

namespace {

constexpr uint64_t kMaxFileBytes = 1 * kMiB;
constexpr uint64_t kMaxAnswerBytes = 64 * kKiB;
// Keys that end sooner are replaced before they are used: a request with them may still be on its way then.
constexpr auto kExpiryMargin = std::chrono::minutes(5);
// "Use IMDSv2", docs.aws.amazon.com/AWSEC2: the service, and how long the token that it gives may be used.
constexpr std::string_view kInstanceMetadata = "http://169.254.169.254";
constexpr std::string_view kTokenSeconds = "60";
constexpr auto kInstancePatience = std::chrono::seconds(2);  // it is no further than the hypervisor

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "2026-11-21T17:45:00Z".
WallTime ParseTime(const std::string& text) {
  int year = 0;
  unsigned parts[5] = {};
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](auto& value, size_t digits, char after) {
    const auto result = std::from_chars(at, end, value);
    const bool good = result.ec == std::errc() && result.ptr == at + digits && result.ptr < end && *result.ptr == after;
    if (!good) Throw(Errc::kCorrupt, "instance metadata: a time of expiry that is none");
    at = result.ptr + 1;
  };
  number(year, 4, '-');
  const char follows[] = {'-', 'T', ':', ':', 'Z'};
  for (size_t i = 0; i < 5; ++i) number(parts[i], 2, follows[i]);
  const std::chrono::year_month_day day{std::chrono::year(year), std::chrono::month(parts[0]),
                                        std::chrono::day(parts[1])};
  if (at != end || !day.ok() || parts[2] > 23 || parts[3] > 59 || parts[4] > 60)
    Throw(Errc::kCorrupt, "instance metadata: a time of expiry that is none");
  return std::chrono::sys_days(day) + std::chrono::hours(parts[2]) + std::chrono::minutes(parts[3]) +
         std::chrono::seconds(parts[4]);
}

}  // namespace

std::optional<AccessKey> ParseCredentialsFile(std::string_view text, std::string_view profile, std::string_view what) {
  std::map<std::string, std::string, std::less<>> settings;  // of the profile
  bool found = false;
  bool inside = false;
  unsigned line_number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++line_number;
    const bool continues = line.starts_with(' ') || line.starts_with('\t');  // a nested setting of something else
    line = Trim(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      if (line.back() != ']') Throw(Errc::kCorrupt, "{} line {}: a section without end", what, line_number);
      inside = Trim(line.substr(1, line.size() - 2)) == profile;
      found = found || inside;
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      Throw(Errc::kCorrupt, "{} line {}: neither section nor setting", what, line_number);
    if (inside && !continues)
      settings.insert_or_assign(std::string(Trim(line.substr(0, equals))), Trim(line.substr(equals + 1)));
  }
  if (!found) return std::nullopt;
  AccessKey key{settings["aws_access_key_id"], Secret(settings["aws_secret_access_key"]),
                Secret(settings["aws_session_token"])};
  if (key.id.empty() != key.secret.empty()) Throw(Errc::kCorrupt, "{}: profile '{}' has half a key", what, profile);
  if (key.id.empty()) return std::nullopt;
  return key;
}

TemporaryKey ParseInstanceKey(std::string_view text) {
  const oci::Json document = oci::ParseJson(AsBytes(text), "instance metadata");
  const oci::JsonView view(document, "instance metadata");
  if (view.TextOr("Code", "Success") != "Success")
    Throw(Errc::kPermission, "instance metadata: no keys for this machine's role");
  return TemporaryKey{AccessKey{view.Get("AccessKeyId").Text(), Secret(view.Get("SecretAccessKey").Text()),
                                Secret(view.Get("Token").Text())},
                      ParseTime(view.Get("Expiration").Text())};
}

ObjectCredentials::ObjectCredentials(Services services, ObjectCredentialsConfig config, ObjectSignature signature)
    : services_(std::move(services)), config_(std::move(config)), aws_(signature == ObjectSignature::kAwsV4) {}

std::string ObjectCredentials::Environment(const char* name) const {
  const char* const value = services_.environment(name);
  return value != nullptr ? value : "";
}

std::optional<AccessKey> ObjectCredentials::FromEnvironment() const {
  AccessKey key{Environment(aws_ ? "AWS_ACCESS_KEY_ID" : "OSS_ACCESS_KEY_ID"),
                Secret(Environment(aws_ ? "AWS_SECRET_ACCESS_KEY" : "OSS_ACCESS_KEY_SECRET")),
                Secret(Environment(aws_ ? "AWS_SESSION_TOKEN" : "OSS_SESSION_TOKEN"))};
  if (key.id.empty() || key.secret.empty()) return std::nullopt;
  return key;
}

Task<std::optional<AccessKey>> ObjectCredentials::FromFile() {
  std::string path = !config_.file.empty() ? config_.file : Environment("AWS_SHARED_CREDENTIALS_FILE");
  const bool asked_for = !path.empty();
  if (!asked_for) {
    path = Environment("HOME");
    if (path.empty()) co_return std::nullopt;
    path += "/.aws/credentials";
  }
  std::string profile = !config_.profile.empty() ? config_.profile : Environment("AWS_PROFILE");
  if (profile.empty()) profile = "default";
  std::string text;
  try {
    runtime::File file = co_await runtime::File::Open(services_.engine, path, O_RDONLY);
    text.resize(kMaxFileBytes + 1);
    const size_t size = co_await file.ReadAt(std::as_writable_bytes(std::span(text)), 0);
    text.resize(size);
  } catch (const Error& e) {
    if (e.code() == Errc::kNotFound && !asked_for) co_return std::nullopt;
    throw;
  }
  if (text.size() > kMaxFileBytes) Throw(Errc::kLimit, "'{}' has more than {} bytes", path, kMaxFileBytes);
  std::optional<AccessKey> key = ParseCredentialsFile(text, profile, "'" + path + "'");
  if (!key && asked_for) Throw(Errc::kNotFound, "'{}' has no keys of profile '{}'", path, profile);
  co_return key;
}

Task<std::string> ObjectCredentials::AskInstance(ClientRequest request) {
  request.patience.connect = kInstancePatience;
  request.patience.answer = kInstancePatience;
  const http::Document answer = co_await http::FetchDocument(services_.transport, std::move(request), kMaxAnswerBytes);
  co_return answer.body;
}

Task<TemporaryKey> ObjectCredentials::FromInstance() {
  const std::string place = Environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const http::Url service = http::Url::Parse(place.empty() ? kInstanceMetadata : place);
  ClientRequest for_token("PUT", service.WithPath("/latest/api/token"));
  for_token.fields.push_back({.name = "X-aws-ec2-metadata-token-ttl-seconds", .value = std::string(kTokenSeconds)});
  const std::string token = co_await AskInstance(std::move(for_token));

  const std::string roles = "/latest/meta-data/iam/security-credentials/";
  const http::Field proof{.name = "X-aws-ec2-metadata-token", .value = token, .secret = true};
  ClientRequest for_role("GET", service.WithPath(roles));
  for_role.fields.push_back(proof);
  std::string role = co_await AskInstance(std::move(for_role));
  role = role.substr(0, role.find('\n'));
  ClientRequest for_key("GET", service.WithPath(roles + role));
  for_key.fields.push_back(proof);
  const std::string answer = co_await AskInstance(std::move(for_key));
  co_return ParseInstanceKey(answer);
}

Task<std::optional<AccessKey>> ObjectCredentials::Get() {
  if (config_.anonymous) co_return std::nullopt;
  const runtime::Permit turn = co_await searching_.Acquire(1);
  if (key_ && (!expires_ || *expires_ - services_.wall_clock.Now() > kExpiryMargin)) co_return key_;
  key_.reset();
  expires_.reset();
  if (!config_.access_key_id.empty()) {
    key_ = AccessKey{config_.access_key_id, config_.access_key_secret, config_.session_token};
    co_return key_;
  }
  // A file that is named goes before what happens to be in the environment.
  if (config_.file.empty() && config_.profile.empty()) key_ = FromEnvironment();
  renewable_ = !key_;
  if (!key_ && aws_) key_ = co_await FromFile();
  if (!key_ && config_.instance_metadata) {
    TemporaryKey found = co_await FromInstance();
    key_ = std::move(found.key);
    expires_ = found.expires;
  }
  if (!key_) {
    Throw(Errc::kNotFound,
          "no keys for the object store: not in its configuration, not in the environment ({}){}{}; without keys it "
          "needs "
          "anonymous = true",
          aws_ ? "AWS_ACCESS_KEY_ID" : "OSS_ACCESS_KEY_ID", aws_ ? ", not in ~/.aws/credentials" : "",
          aws_ && !config_.instance_metadata ? ", and instance_metadata is not true" : "");
  }
  co_return key_;
}

bool ObjectCredentials::Forget() noexcept {
  if (renewable_) key_.reset();
  return renewable_;
}

}  // namespace sluice::backend
