// SPDX-License-Identifier: Apache-2.0
#pragma once
// The content of a file of credentials: containers-auth.json(5), Docker's config.json, the old .dockercfg.  Pure.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "oci/credentials.h"
#include "oci/registry_reference.h"

namespace sluice::oci {

enum class AuthFileFormat {
  kContainers,  // auth.json: keys may name a part of a registry, "host/namespace/repository"
  kDocker,      // config.json: keys name hosts, also as URLs ("https://index.docker.io/v1/")
  kDockerCfg,   // .dockercfg: only the list
};

class AuthFile {
 public:
  // Throws kCorrupt naming `what` and the place, never a value.
  static AuthFile Parse(ConstBytes json, AuthFileFormat format, std::string_view what);

  // The name of the helper that keeps the credentials of this host (the part behind "docker-credential-"); empty: none
  // of its own.
  std::string HelperFor(std::string_view host) const;
  // The helper for hosts that nothing else is said about ("credsStore"); empty: none.
  const std::string& default_helper() const noexcept { return default_helper_; }

  // The entry whose key matches most of "host/repository".
  std::optional<Credentials> Find(const RegistryReference& image) const;

 private:
  std::map<std::string, Credentials, std::less<>> entries_;  // keys as normalized
  std::map<std::string, std::string, std::less<>> helpers_;  // by host
  std::string default_helper_;
};

// What a credential helper prints for "get": {"ServerURL", "Username", "Secret"}.  Throws kCorrupt, without the text.
Credentials ParseHelperAnswer(ConstBytes json, std::string_view what);

}  // namespace sluice::oci
