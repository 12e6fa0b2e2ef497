// SPDX-License-Identifier: Apache-2.0
#pragma once
// Follows redirects of GET and HEAD, carefully: credentials stay with their origin, and nobody sends us from https to
// http or from the network into this machine.

#include "http/transport.h"

namespace sluice::http {

class RedirectingTransport final : public Transport {
 public:
  static constexpr unsigned kMostRedirects = 8;

  // `inner` outlives it.
  explicit RedirectingTransport(Transport& inner) noexcept : inner_(inner) {}

  // As Transport::Send.  301, 302, 303, 307 and 308 to a GET or HEAD are followed; of other methods they are the
  // answer.  Throws kPermission for a redirect that is refused, kLimit for more than kMostRedirects, kCorrupt for one
  // without a usable Location.
  runtime::Task<std::unique_ptr<Exchange>> Send(ClientRequest request) override;

 private:
  Transport& inner_;
};

// `request` as it may be sent to `location` after `request.url` has given that: secret fields and the client's
// certificate are gone when the origin differs (scheme, host, port).  Throws kPermission for https to http, for an
// address of this machine or its link given by a server elsewhere, and for leaving a unix socket.  For others who
// follow URLs that servers name (upload locations).
ClientRequest Redirected(const ClientRequest& request, const Url& location);

}  // namespace sluice::http
