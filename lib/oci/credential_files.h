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

using Environment = std::function<const char*(const char* name)>;  // getenv(3)

// Where to look, first to last.  `auth_files` (--authfile), if there are any, are the only places; else
// $REGISTRY_AUTH_FILE, if set, is; else $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID without that),
// $XDG_CONFIG_HOME/containers/auth.json, $DOCKER_CONFIG or ~/.docker with config.json, ~/.dockercfg.
std::vector<CredentialPlace> FindCredentialPlaces(const std::vector<std::string>& auth_files, unsigned uid,
                                                  const Environment& environment);

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

// Who this process is: at the registry as `given` (--creds) says, if it says anything; else, and at mirrors in any
// case, as the files say.
RegistryCredentials FindCredentials(std::optional<Credentials> given, const std::vector<std::string>& auth_files,
                                    const Environment& environment);

}  // namespace sluice::oci
