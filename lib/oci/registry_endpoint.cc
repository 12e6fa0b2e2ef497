// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_endpoint.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "http/answer_fields.h"
#include "runtime/combine.h"

namespace sluice::oci {

using runtime::Task;

namespace {

// Shorter than what object stores give their signed URLs (some minutes at least), long enough to matter.
constexpr Duration kLocationLifetime = std::chrono::seconds(60);
constexpr size_t kMaxLocations = 1024;
constexpr uint64_t kMaxPingAnswer = 1 * kMiB;

http::Url WithoutTls(const http::Url& url) {
  // A port that was not written is the scheme's own.
  const std::string text = url.ToString();
  return http::Url::Parse("http" + text.substr(text.find("://")));
}

std::string ScopesFor(std::string_view repository, std::string_view actions, std::string_view other) {
  std::string scopes = "repository:" + std::string(repository) + ":" + std::string(actions);
  if (!other.empty()) scopes += " repository:" + std::string(other) + ":pull";
  return scopes;
}

}  // namespace

RegistryEndpoint::RegistryEndpoint(RegistryServices services, Endpoint endpoint, std::string_view actions,
                                   std::string_view other, std::shared_ptr<const CredentialSource> credentials,
                                   http::Patience patience)
    : services_(services),
      endpoint_(std::move(endpoint)),
      scopes_(ScopesFor(endpoint_.repository, actions, other)),
      credentials_(std::move(credentials)),
      patience_(patience),
      redirecting_(services.transport),
      hedge_(services.engine, endpoint_.hedge) {}

RegistryEndpoint::~RegistryEndpoint() = default;

Task<void> RegistryEndpoint::Settle() {
  if (authorizing_) co_return;
  const runtime::Permit turn = co_await settling_.Acquire(1);
  if (authorizing_) co_return;
  if (endpoint_.may_be_plain && endpoint_.api.secure()) {
    const bool secure = co_await SpeaksTls();
    if (!secure) endpoint_.api = WithoutTls(endpoint_.api);
  }
  RegistryLogin login{
      .registry = endpoint_.api.origin(), .image = endpoint_.image, .scopes = scopes_, .credentials = credentials_};
  authorizing_ = std::make_unique<AuthorizingTransport>(services_.engine, services_.offload, redirecting_,
                                                        services_.transport, std::move(login));
}

// Both ways are tried at once, which saves the round trips of the one that fails; no credentials are sent.
Task<bool> RegistryEndpoint::SpeaksTls() {
  const runtime::Context& outer = co_await runtime::CurrentContext();
  runtime::LinkedStopSource enough(outer.stop);
  const runtime::Context while_open{services_.engine, enough.token()};
  std::optional<Error> secure_failure;
  std::optional<Error> plain_failure;
  bool decided = false;
  auto try_secure = [&]() -> Task<void> {
    co_await Ping(ApiRoot(), secure_failure);
    // A server that is slow, or that stops us, is not one without TLS.
    decided = !secure_failure || secure_failure->code() == Errc::kStopped || secure_failure->code() == Errc::kTimeout;
    if (decided) enough.RequestStop();
  };
  auto try_plain = [&]() -> Task<void> {
    Task<void> ping = Ping(WithoutTls(ApiRoot()), plain_failure);
    co_await runtime::InContext(ping, while_open);
  };
  std::vector<Task<void>> both;
  both.push_back(try_secure());
  both.push_back(try_plain());
  co_await runtime::WhenAll(std::move(both));
  if (!secure_failure) co_return true;
  if (decided || plain_failure) throw Error(*std::move(secure_failure));
  co_return false;
}

Task<void> RegistryEndpoint::Ping(http::Url url, std::optional<Error>& failure) {
  http::ClientRequest ping("GET", std::move(url));
  ping.connect = endpoint_.connect;
  ping.patience = patience_;
  try {
    const std::unique_ptr<http::Exchange> answer = co_await services_.transport.Send(std::move(ping));
    co_await http::ReadBody(*answer, kMaxPingAnswer);
  } catch (const Error& error) {
    failure = error;
  }
}

Task<void> RegistryEndpoint::Greet() {
  const std::unique_ptr<http::Exchange> answer = co_await transport().Send(RequestTo("GET", ApiRoot()));
  // The connection serves the next request.
  co_await http::ReadBody(*answer, kMaxPingAnswer);
}

http::Url RegistryEndpoint::ApiRoot() const { return endpoint_.api.WithPath(endpoint_.api.path() + "/"); }

http::ClientRequest RegistryEndpoint::Request(std::string_view method, std::string_view rest) const {
  return RequestTo(method, endpoint_.UrlOf(rest));
}

http::ClientRequest RegistryEndpoint::RequestTo(std::string_view method, http::Url url) const {
  http::ClientRequest request(std::string(method), std::move(url));
  request.fields = endpoint_.fields;
  request.connect = endpoint_.connect;
  request.patience = patience_;
  return request;
}

http::Transport& RegistryEndpoint::transport() {
  SLUICE_CHECK(authorizing_, "an endpoint is used before it is settled");
  return *authorizing_;
}

Task<std::unique_ptr<http::RangeStream>> RegistryEndpoint::OpenBlob(Digest digest, std::optional<uint64_t> size,
                                                                    ByteRange range, runtime::Lane lane,
                                                                    http::RetryAdvice& advice) {
  auto open = [this, digest, size, range, lane, &advice] { return OpenOnce(digest, size, range, lane, advice); };
  co_return co_await hedge_.Run(lane, std::move(open));
}

Task<std::unique_ptr<http::RangeStream>> RegistryEndpoint::OpenOnce(Digest digest, std::optional<uint64_t> size,
                                                                    ByteRange range, runtime::Lane lane,
                                                                    http::RetryAdvice& advice) {
  if (const auto known = locations_.find(digest); known != locations_.end()) {
    http::ClientRequest request = known->second.request;
    const bool fresh = services_.engine.Now() < known->second.until;
    if (!fresh) locations_.erase(known);
    if (fresh) {
      request.lane = lane;
      try {
        co_return co_await OpenAt(redirecting_, std::move(request), size, range, advice);
      } catch (const Error& error) {
        if (error.code() == Errc::kStopped) throw;
        // Whatever it was, the registry may know a better place.
        locations_.erase(digest);
      }
    }
  }
  http::ClientRequest request = Request("GET", "blobs/" + FormatDigest(digest));
  request.lane = lane;
  http::ClientRequest sent = request;
  std::unique_ptr<http::RangeStream> stream = co_await OpenAt(transport(), std::move(sent), size, range, advice);
  if (stream->url().origin() != origin()) Remember(digest, request, stream->url());
  co_return stream;
}

Task<std::unique_ptr<http::RangeStream>> RegistryEndpoint::OpenAt(http::Transport& transport,
                                                                  http::ClientRequest request,
                                                                  std::optional<uint64_t> size, ByteRange range,
                                                                  http::RetryAdvice& advice) {
  // All of a blob is asked for without a range: not every registry knows ranges.
  const bool whole = size && range.offset == 0 && range.length == *size;
  if (!whole) {
    http::ObjectIdentity identity{.size = size};
    co_return co_await http::OpenRange(transport, std::move(request), range, identity, &advice);
  }
  const http::ClientRequest asked = request;
  std::unique_ptr<http::Exchange> exchange = co_await transport.Send(std::move(request));
  if (exchange->status() != 200) http::ThrowStatus(asked, exchange->head(), &advice);
  const std::optional<uint64_t> length = http::ContentLength(exchange->head());
  const std::string name = "GET " + exchange->url().ForMessages();
  if (length && *length != range.length)
    Throw(Errc::kCorrupt, "{}: {} bytes in place of {}", name, *length, range.length);
  const std::optional<std::string_view> encoding = exchange->head().Find("Content-Encoding");
  if (encoding && !http::SameFieldName(*encoding, "identity"))
    Throw(Errc::kCorrupt, "{}: a content encoding, which nobody asked for", name);
  co_return std::make_unique<http::RangeStream>(std::move(exchange), range, name);
}

void RegistryEndpoint::Remember(const Digest& digest, const http::ClientRequest& request, const http::Url& location) {
  if (locations_.size() >= kMaxLocations) locations_.clear();
  locations_.insert_or_assign(digest, Location{.request = http::Redirected(request, location),
                                               .until = services_.engine.Now() + kLocationLifetime});
}

}  // namespace sluice::oci
