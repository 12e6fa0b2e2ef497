// SPDX-License-Identifier: Apache-2.0
#pragma once
// One server that has a repository: requests with its options, logged in, over its redirects.  Internal to oci.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/error.h"
#include "http/fetch.h"
#include "http/hedge.h"
#include "http/redirect.h"
#include "oci/registry_auth.h"
#include "oci/registry_hosts.h"
#include "oci/repository.h"

namespace sluice::oci {

// Belongs to one shard; any number of tasks.
class RegistryEndpoint {
 public:
  // `actions`: "pull" or "pull,push".  `other`, if not empty, is a repository of the registry to be read besides
  // (for mounting its blobs).
  RegistryEndpoint(RegistryServices services, Endpoint endpoint, std::string_view actions, std::string_view other,
                   std::shared_ptr<const CredentialSource> credentials, http::Patience patience);
  ~RegistryEndpoint();

  const Endpoint& endpoint() const noexcept { return endpoint_; }
  const http::Origin& origin() const noexcept { return endpoint_.api.origin(); }
  // Who is reported when it fails.
  const http::Origin& reached_first() const noexcept { return endpoint_.proxy ? *endpoint_.proxy : origin(); }

  // With verification off: finds out whether the server speaks TLS at all, once.  Before any request.
  runtime::Task<void> Settle();

  // Connects and logs in, once that is settled, so that the first request finds it done.
  runtime::Task<void> Greet();

  // Adds the endpoint's own fields.  `rest` is below the repository ("manifests/latest").
  http::ClientRequest Request(std::string_view method, std::string_view rest) const;
  // For what Request makes, and for places that the registry names (upload locations).
  http::Transport& transport();

  // As http::OpenRange for a blob.  A redirect is remembered for a minute, so that the next range needs one request.
  // Hedged where the endpoint is.
  runtime::Task<std::unique_ptr<http::RangeStream>> OpenBlob(Digest digest, std::optional<uint64_t> size,
                                                             ByteRange range, runtime::Lane lane,
                                                             http::RetryAdvice& advice);
  void ForgetLocations() noexcept { locations_.clear(); }

 private:
  struct Location {
    http::ClientRequest request;  // without credentials
    TimePoint until;
  };
  // One attempt of OpenBlob.
  runtime::Task<std::unique_ptr<http::RangeStream>> OpenOnce(Digest digest, std::optional<uint64_t> size,
                                                             ByteRange range, runtime::Lane lane,
                                                             http::RetryAdvice& advice);
  runtime::Task<std::unique_ptr<http::RangeStream>> OpenAt(http::Transport& transport, http::ClientRequest request,
                                                           std::optional<uint64_t> size, ByteRange range,
                                                           http::RetryAdvice& advice);
  runtime::Task<bool> SpeaksTls();
  runtime::Task<void> Ping(http::Url url, std::optional<Error>& failure);
  http::Url ApiRoot() const;
  http::ClientRequest RequestTo(std::string_view method, http::Url url) const;
  void Remember(const Digest& digest, const http::ClientRequest& request, const http::Url& location);

  const RegistryServices services_;
  Endpoint endpoint_;
  const std::string scopes_;
  const std::shared_ptr<const CredentialSource> credentials_;
  const http::Patience patience_;
  http::RedirectingTransport redirecting_;
  http::Hedge hedge_;                                  // of requests for blobs
  std::unique_ptr<AuthorizingTransport> authorizing_;  // none before Settle()
  runtime::Semaphore settling_{1};
  std::map<Digest, Location> locations_;
};

}  // namespace sluice::oci
