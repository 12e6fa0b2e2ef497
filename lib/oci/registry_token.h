// SPDX-License-Identifier: Apache-2.0
#pragma once
// Access tokens of registries: which server may be asked for one, how, and what it answers (distribution's token and
// oauth2 documents).  Pure, but for the clock of the caller.  Internal to oci.

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/secret.h"
#include "http/transport.h"
#include "oci/auth_challenge.h"
#include "oci/credentials.h"

namespace sluice::oci {

constexpr uint64_t kMaxTokenAnswer = 1 << 20;  // bytes of the document; tokens with many groups have some 10 KiB

struct AccessToken {
  Secret value;
  Duration lifetime{};  // from the moment of the request
};

// Throws kCorrupt, without the text, for a document without a token that may stand in a header field.
AccessToken ParseToken(ConstBytes json, std::string_view what);

// The scopes to ask for: those that the registry names in `challenge`, as far as they are scopes of repositories for
// nothing more than `wanted` ("repository:a:pull,push repository:b:pull") does somewhere; else `wanted`.
std::string ScopesToAsk(std::string_view challenge, std::string_view wanted);

// Where the token server of a registry may be.  A registry inside a private network may have it there; one of the
// internet may not send us there with our credentials.  `address`: of the registry; nothing: its host says all that is
// known.
http::Reach RealmReach(const http::Url& registry, const std::optional<http::IpAddress>& address);

// The request for a token.  `registry` is a request to the registry that has sent the challenge: what it carries
// besides secrets (TLS options, proxies, reach) counts for the token server too.  Throws kCorrupt for a challenge
// without a usable realm; kPermission for a realm that the registry may not send us to: without TLS if the registry has
// it, an address of this machine or its link in place of the registry's own, one out of reach.
http::ClientRequest TokenRequest(const http::ClientRequest& registry, const AuthChallenge& challenge,
                                 std::string_view scopes, const std::optional<Credentials>& credentials);

// "Basic …"; secret.
http::Field BasicAuthorization(const Credentials& credentials);
// "Bearer …"; secret.
http::Field BearerAuthorization(const Secret& token);

}  // namespace sluice::oci
