// SPDX-License-Identifier: Apache-2.0
#pragma once
// The options that say how registries are reached, for subcommands that reach them themselves.

#include <string>

#include "oci/registry_options.h"

namespace CLI {
class App;
}

namespace sluice::tools {

class SignalHold;

// One group of options: for both sides of a command, or with a prefix for one.
struct RegistryFlags {
  std::string credentials;
  std::string auth_file;
  std::string cert_dir;
  bool tls_verify = true;
  bool tls_verify_given = false;
};

struct TransferFlags {
  RegistryFlags both;
  RegistryFlags source;
  RegistryFlags target;
  unsigned retry_times = 3;
};

// --creds, --authfile, --cert-dir, --tls-verify and --retry-times; `flags` outlives `command`.
void AddSourceFlags(CLI::App& command, TransferFlags& flags);
// The same, and each of the first four again with src- and dest- in front.
void AddTransferFlags(CLI::App& command, TransferFlags& flags);

// What is said for one side goes before what is said for both.  A signal that waits ends what blocks; `signals`
// outlives the options.  Throws kInvalidArgument for malformed credentials.
oci::RegistryOptions SourceOptions(const TransferFlags& flags, const SignalHold& signals);
oci::RegistryOptions TargetOptions(const TransferFlags& flags, const SignalHold& signals);

}  // namespace sluice::tools
