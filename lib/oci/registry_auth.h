// SPDX-License-Identifier: Apache-2.0
#pragma once
// Logs in at one registry when it asks for that, and stays logged in.  Internal to oci.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "http/transport.h"
#include "oci/auth_challenge.h"
#include "oci/credentials.h"
#include "oci/registry_token.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "runtime/semaphore.h"

namespace sluice::oci {

struct RegistryLogin {
  http::Origin registry;    // nobody else sees a credential
  RegistryReference image;  // whose credentials count
  std::string scopes;       // "repository:a/b:pull"
  std::shared_ptr<const CredentialSource> credentials;
};

// A transport that adds Authorization to requests for its registry.  One shard; any number of tasks.
//
// A 401 of the registry itself (not of a server behind a redirect) makes it read the credentials, get a token if that
// is what the registry wants, and send the request once more; tasks that meet a 401 together share that.  A token is
// used until shortly before its end.
class AuthorizingTransport final : public http::Transport {
 public:
  // All outlive it.  `inner` follows redirects, `direct` does not: tokens come from nowhere else than the realm.
  AuthorizingTransport(runtime::Engine& engine, runtime::Offload& offload, http::Transport& inner,
                       http::Transport& direct, RegistryLogin login);

  // As Transport::Send.  A 401 that could not be answered, or that comes again, is returned as it is.  Throws what
  // getting credentials or a token has thrown.
  runtime::Task<std::unique_ptr<http::Exchange>> Send(http::ClientRequest request) override;

 private:
  struct Authorization {
    http::Field field;
    std::optional<TimePoint> end;  // nothing: until it is refused
  };

  // Gets a new authorization unless another task has since `generation`.  False: there is nothing to log in with.
  runtime::Task<bool> Renew(http::ClientRequest request, uint64_t generation);
  runtime::Task<std::optional<Authorization>> LogIn(http::ClientRequest request);
  runtime::Task<Authorization> FetchToken(http::ClientRequest request, AuthChallenge challenge,
                                          std::optional<Credentials> credentials);

  runtime::Engine& engine_;
  runtime::Offload& offload_;
  http::Transport& inner_;
  http::Transport& direct_;
  const RegistryLogin login_;
  std::vector<AuthChallenge> challenges_;      // of the last 401
  std::optional<http::IpAddress> challenger_;  // who sent it, as Exchange::peer()
  std::optional<Authorization> authorization_;
  uint64_t generation_ = 0;  // counts the authorizations
  runtime::Semaphore renewing_{1};
};

}  // namespace sluice::oci
