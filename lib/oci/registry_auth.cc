// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_auth.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "http/fetch.h"

namespace sluice::oci {

using runtime::Task;

namespace {

constexpr uint64_t kMostDrained = 64 * kKiB;
constexpr unsigned kUnauthorized = 401;
// A request under way when its token ends would be refused.
constexpr Duration kRenewBefore = std::chrono::seconds(10);

std::vector<AuthChallenge> ChallengesOf(const http::ResponseHead& head) {
  std::vector<AuthChallenge> all;
  for (const http::Field& field : head.fields) {
    if (!http::SameFieldName(field.name, "WWW-Authenticate")) continue;
    for (AuthChallenge& challenge : ParseAuthChallenges(field.value)) all.push_back(std::move(challenge));
  }
  return all;
}

const AuthChallenge* FindScheme(const std::vector<AuthChallenge>& challenges, std::string_view scheme) {
  const auto found = std::ranges::find(challenges, scheme, &AuthChallenge::scheme);
  return found == challenges.end() ? nullptr : &*found;
}

}  // namespace

AuthorizingTransport::AuthorizingTransport(runtime::Engine& engine, runtime::Offload& offload, http::Transport& inner,
                                           http::Transport& direct, RegistryLogin login)
    : engine_(engine), offload_(offload), inner_(inner), direct_(direct), login_(std::move(login)) {}

Task<std::unique_ptr<http::Exchange>> AuthorizingTransport::Send(http::ClientRequest request) {
  if (request.url.origin() != login_.registry) co_return co_await inner_.Send(std::move(request));

  if (authorization_ && authorization_->end && engine_.Now() >= *authorization_->end)
    co_await Renew(request, generation_);
  const uint64_t generation = generation_;
  http::ClientRequest first = request;
  if (authorization_) first.fields.push_back(authorization_->field);
  std::unique_ptr<http::Exchange> exchange = co_await inner_.Send(std::move(first));
  if (exchange->status() != kUnauthorized || exchange->url().origin() != login_.registry) co_return exchange;

  challenges_ = ChallengesOf(exchange->head());
  challenger_ = exchange->peer();
  // The connection serves the next request too.
  co_await http::ReadBody(*exchange, kMostDrained);
  const bool renewed = co_await Renew(request, generation);
  if (!renewed) co_return exchange;
  if (request.upload != nullptr) request.upload->Rewind();
  request.fields.push_back(authorization_->field);
  co_return co_await inner_.Send(std::move(request));
}

Task<bool> AuthorizingTransport::Renew(http::ClientRequest request, uint64_t generation) {
  const runtime::Permit turn = co_await renewing_.Acquire(1);
  if (generation_ != generation) co_return true;
  std::optional<Authorization> renewed = co_await LogIn(std::move(request));
  if (!renewed) co_return false;
  authorization_ = std::move(renewed);
  ++generation_;
  co_return true;
}

Task<std::optional<AuthorizingTransport::Authorization>> AuthorizingTransport::LogIn(http::ClientRequest request) {
  // Copied: another 401 may replace them meanwhile.
  const AuthChallenge* bearer = FindScheme(challenges_, "bearer");
  const bool basic = FindScheme(challenges_, "basic") != nullptr;
  std::optional<AuthChallenge> token_server;
  if (bearer != nullptr) token_server = *bearer;
  if (!token_server && !basic) co_return std::nullopt;

  auto find = [this] { return login_.credentials->Find(login_.image); };
  std::optional<Credentials> credentials = co_await offload_.Run(engine_, std::move(find));
  if (credentials && !credentials->registry_token.empty()) {
    Authorization authorization{.field = BearerAuthorization(credentials->registry_token)};
    co_return authorization;
  }
  if (token_server) {
    Authorization authorization =
        co_await FetchToken(std::move(request), *std::move(token_server), std::move(credentials));
    co_return authorization;
  }
  if (!credentials || credentials->user.empty()) co_return std::nullopt;
  Authorization authorization{.field = BasicAuthorization(*credentials)};
  co_return authorization;
}

Task<AuthorizingTransport::Authorization> AuthorizingTransport::FetchToken(http::ClientRequest request,
                                                                           AuthChallenge challenge,
                                                                           std::optional<Credentials> credentials) {
  request.connect.reach = RealmReach(request.url, challenger_);
  const std::string scopes = ScopesToAsk(challenge.Parameter("scope"), login_.scopes);
  http::ClientRequest question = TokenRequest(request, challenge, scopes, credentials);
  const TimePoint asked = engine_.Now();
  const http::Document answer = co_await http::FetchDocument(direct_, std::move(question), kMaxTokenAnswer);
  const AccessToken token = ParseToken(AsBytes(answer.body), "token of '" + answer.url.ForMessages() + "'");
  Authorization authorization{.field = BearerAuthorization(token.value)};
  authorization.end = asked + std::max(token.lifetime - kRenewBefore, token.lifetime / 2);
  co_return authorization;
}

}  // namespace sluice::oci
