// SPDX-License-Identifier: Apache-2.0
#pragma once
// The options that say how an image and its blobs are reached, for subcommands that hand them to the daemon.

#include <string>

#include "api/types.h"

namespace CLI {
class App;
}

namespace sluice::tools {

struct AccessOptions {
  bool tls_verify = true;
  bool tls_verify_given = false;
  std::string credentials;
  std::string auth_file;
  std::string cert_dir;
  std::string backend_config;  // a file
};

// Adds --tls-verify, --creds, --authfile, --cert-dir and --backend-config.  `options` outlives `command`.
void AddAccessOptions(CLI::App& command, AccessOptions& options);

// With absolute paths and the content of the configuration file.  Throws kNotFound, kPermission, kLimit for that.
api::ImageAccess ToImageAccess(const AccessOptions& options);

}  // namespace sluice::tools
