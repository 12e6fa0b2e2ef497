// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a program that blocks reaches a registry.

#include <functional>
#include <optional>
#include <string>

#include "oci/credentials.h"

namespace sluice::oci {

// What a user says about a registry; the meanings are skopeo's.
struct RegistryOptions {
  std::optional<Credentials> credentials;  // --creds
  std::string authfile;                    // --authfile; empty: the usual places
  std::optional<bool> tls_verify;          // --tls-verify
  std::string cert_dir;                    // --cert-dir; empty: certs.d
  unsigned retry_times = 3;                // --retry-times: further tries after the first
  // Asked ten times a second, from another thread, while something blocks: true ends it with kStopped.  Empty: never.
  std::function<bool()> interrupted;
};

}  // namespace sluice::oci
