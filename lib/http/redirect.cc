// SPDX-License-Identifier: Apache-2.0
#include "http/redirect.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"
#include "http/fetch.h"

namespace sluice::http {

using runtime::Task;

namespace {

constexpr uint64_t kMostDrained = 16 * kKiB;

bool IsRedirect(unsigned status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Credentials by nature, whether their maker marked them or not.
bool IsCredential(const Field& field) noexcept {
  return field.secret || SameFieldName(field.name, "Authorization") || SameFieldName(field.name, "Cookie") ||
         SameFieldName(field.name, "Proxy-Authorization");
}

[[noreturn]] void Refuse(const ClientRequest& request, const Url& location, std::string_view why) {
  Throw(Errc::kPermission, "{} {}: sends us to '{}': {}", request.method, request.url.ForMessages(),
        location.ForMessages(), why);
}

Url LocationOf(const ClientRequest& request, const ResponseHead& head) {
  try {
    const std::optional<std::string_view> location = head.Find("Location");
    if (!location) Throw(Errc::kCorrupt, "a redirect (status {}) without a Location", head.status);
    return request.url.Resolve(*location);
  } catch (const Error& error) {
    Throw(Errc::kCorrupt, "{} {}: {}", request.method, request.url.ForMessages(), error.message());
  }
}

// Reads what stands in the body of a redirect, so that its connection serves the next request too.  A long body or a
// broken one costs the connection.
Task<void> Drain(Exchange& exchange) {
  try {
    co_await ReadBody(exchange, kMostDrained);
  } catch (const Error& error) {
    if (error.code() == Errc::kStopped) throw;
  }
}

}  // namespace

ClientRequest Redirected(const ClientRequest& request, const Url& location) {
  ClientRequest next = request;
  next.url = location;
  if (location.origin() == request.url.origin()) return next;
  if (request.url.secure() && !location.secure()) Refuse(request, location, "from https to http");
  if (!request.connect.unix_socket.empty()) Refuse(request, location, "away from a unix socket");
  if (!IsLocalHost(request.url.origin().host)) {
    if (IsLocalHost(location.origin().host)) Refuse(request, location, "an address of this machine or link");
    next.connect.reach = std::max(next.connect.reach, Reach::kNotLocal);  // nor behind a name
  }
  std::erase_if(next.fields, IsCredential);
  if (next.connect.tls && !next.connect.tls->client_cert.empty()) {
    auto anonymous = std::make_shared<TlsOptions>(*next.connect.tls);
    anonymous->client_cert.clear();
    anonymous->client_key.clear();
    next.connect.tls = std::move(anonymous);
  }
  return next;
}

Task<std::unique_ptr<Exchange>> RedirectingTransport::Send(ClientRequest request) {
  const bool follows = request.method == "GET" || request.method == "HEAD";
  for (unsigned redirects = 0;; ++redirects) {
    std::unique_ptr<Exchange> exchange = co_await inner_.Send(request);
    if (!follows || !IsRedirect(exchange->status())) co_return exchange;
    if (redirects == kMostRedirects) {
      Throw(Errc::kLimit, "{} {}: sends us on after {} redirects", request.method, request.url.ForMessages(),
            kMostRedirects);
    }
    const Url location = LocationOf(request, exchange->head());
    request = Redirected(request, location);
    co_await Drain(*exchange);
  }
}

}  // namespace sluice::http
