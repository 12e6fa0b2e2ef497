// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_token.h"

#include <algorithm>
#include <vector>

#include "base/base64.h"
#include "base/error.h"
#include "base/limits.h"
#include "http/ip_address.h"
#include "http/percent.h"
#include "http/redirect.h"
#include "oci/json.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxTokenBytes = 64 * kKiB;
constexpr uint64_t kDefaultLifetimeSeconds = 60;  // distribution, spec/auth/token.md, "expires_in"
constexpr uint64_t kMostLifetimeSeconds = 24 * 60 * 60;
constexpr std::string_view kClientId = "sluice";

std::vector<std::string_view> Words(std::string_view text, char separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    if (const std::string_view word = text.substr(0, end); !word.empty()) words.push_back(word);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return words;
}

struct Scope {
  std::string_view name;
  std::vector<std::string_view> actions;
};

std::optional<Scope> ParseScope(std::string_view text) {
  constexpr std::string_view kPrefix = "repository:";
  const size_t colon = text.rfind(':');
  if (!text.starts_with(kPrefix) || colon <= kPrefix.size()) return std::nullopt;
  return Scope{text.substr(kPrefix.size(), colon - kPrefix.size()), Words(text.substr(colon + 1), ',')};
}

// The realm, with the query that it may have; service and scopes come behind it.
http::Url Realm(const http::ClientRequest& registry, const AuthChallenge& challenge) {
  const std::string_view text = challenge.Parameter("realm");
  try {
    return http::Url::Parse(text);
  } catch (const Error&) {
    Throw(Errc::kCorrupt, "{}: names no token server that could be asked", registry.url.origin().ToString());
  }
}

std::string Form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string form;
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    form.append(name).append("=").append(http::PercentEncode(value));
  }
  return form;
}

}  // namespace

AccessToken ParseToken(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  const JsonView view(document, std::string(what));
  std::string token = view.TextOr("token", "");
  if (token.empty()) token = view.TextOr("access_token", "");
  const auto visible = [](char c) { return c > ' ' && c < '\x7f'; };
  if (token.empty() || token.size() > kMaxTokenBytes || !std::ranges::all_of(token, visible))
    Throw(Errc::kCorrupt, "{}: no token that could be used", what);
  const auto expires = view.Find("expires_in");
  const uint64_t seconds = expires && expires->json().is_number() ? expires->Size() : kDefaultLifetimeSeconds;
  return {Secret(token), std::chrono::seconds(std::min(seconds, kMostLifetimeSeconds))};
}

std::string ScopesToAsk(std::string_view challenge, std::string_view wanted) {
  std::vector<std::string_view> names;
  std::vector<std::string_view> allowed;
  for (const std::string_view text : Words(wanted, ' ')) {
    const auto scope = ParseScope(text);
    if (!scope) continue;
    names.push_back(scope->name);
    allowed.insert(allowed.end(), scope->actions.begin(), scope->actions.end());
  }
  std::string scopes;
  bool elsewhere = false;
  for (const std::string_view text : Words(challenge, ' ')) {
    const auto scope = ParseScope(text);
    const auto is_allowed = [&allowed](std::string_view action) {
      return std::ranges::find(allowed, action) != allowed.end();
    };
    if (!scope || !std::ranges::all_of(scope->actions, is_allowed)) return std::string(wanted);
    elsewhere = elsewhere || std::ranges::find(names, scope->name) == names.end();
    scopes.append(scopes.empty() ? "" : " ").append(text);
  }
  // For the repositories that we know everything is asked at once, not action by action.
  return elsewhere ? scopes : std::string(wanted);
}

http::Reach RealmReach(const http::Url& registry, const std::optional<http::IpAddress>& address) {
  const std::string& host = registry.origin().host;
  const auto own = address ? address : http::IpAddress::Parse(host);
  if (http::IsLocalHost(host) || (own && own->IsLocal())) return http::Reach::kAnywhere;
  return own && own->IsPrivate() ? http::Reach::kNotLocal : http::Reach::kPublic;
}

http::ClientRequest TokenRequest(const http::ClientRequest& registry, const AuthChallenge& challenge,
                                 std::string_view scopes, const std::optional<Credentials>& credentials) {
  const http::Url realm = Realm(registry, challenge);
  const auto address = http::IpAddress::Parse(realm.origin().host);
  if (registry.connect.reach == http::Reach::kPublic && address && address->IsPrivate())
    Throw(Errc::kPermission, "{}: sends us for a token to '{}', an address of a private network",
          registry.url.origin().ToString(), realm.origin().ToString());
  http::ClientRequest request = http::Redirected(registry, realm);
  request.fields.clear();
  request.body.clear();
  request.upload = nullptr;

  const std::string_view service = challenge.Parameter("service");
  if (credentials && !credentials->identity_token.empty()) {
    request.method = "POST";
    request.fields.push_back({"Content-Type", "application/x-www-form-urlencoded"});
    request.body = Form({{"grant_type", "refresh_token"},
                         {"service", service},
                         {"client_id", kClientId},
                         {"scope", scopes},
                         {"refresh_token", credentials->identity_token.Reveal()}});
    return request;
  }
  request.method = "GET";
  if (!service.empty()) request.url = request.url.WithQuery("service", service);
  for (const std::string_view scope : Words(scopes, ' ')) request.url = request.url.WithQuery("scope", scope);
  if (credentials) request.fields.push_back(BasicAuthorization(*credentials));
  return request;
}

http::Field BasicAuthorization(const Credentials& credentials) {
  const Secret pair(credentials.user + ":" + credentials.password.Reveal());
  return {"Authorization", "Basic " + EncodeBase64(AsBytes(pair.Reveal())), true};
}

http::Field BearerAuthorization(const Secret& token) { return {"Authorization", "Bearer " + token.Reveal(), true}; }

}  // namespace sluice::oci
