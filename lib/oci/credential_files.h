// SPDX-License-Identifier: Apache-2.0
#pragma once
// The credentials that this machine has: files of users and programs, in the order of containers-auth.json(5).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "oci/auth_file.h"
#include "oci/credential_helper.h"
#include "oci/credentials.h"

namespace sluice::oci {

struct CredentialPlace {
  std::string path;
  AuthFileFormat format = AuthFileFormat::kContainers;
  bool required = false;  // kNotFound when it is missing: somebody has named it
};

// Where to look, first to last.  `authfile` (--authfile), if not empty, is the only place; else $REGISTRY_AUTH_FILE, if
// set, is; else $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID without that), $XDG_CONFIG_HOME/containers/
// auth.json, $DOCKER_CONFIG or ~/.docker with config.json, ~/.dockercfg.  `environment` is getenv(3).
std::vector<CredentialPlace> FindCredentialPlaces(const std::string& authfile, unsigned uid,
                                                  const std::function<const char*(const char*)>& environment);

class CredentialFiles final : public CredentialSource {
 public:
  CredentialFiles(std::vector<CredentialPlace> places, HelperOptions helpers)
      : places_(std::move(places)), helpers_(std::move(helpers)) {}

  // The first file that has an entry for the image, a helper for its host, or a default helper that knows it.
  std::optional<Credentials> Find(const RegistryReference& image) const override;

 private:
  const std::vector<CredentialPlace> places_;
  const HelperOptions helpers_;
};

}  // namespace sluice::oci
