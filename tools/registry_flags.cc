// SPDX-License-Identifier: Apache-2.0
#include "registry_flags.h"

#include <CLI/CLI.hpp>

#include "signal_hold.h"

namespace sluice::tools {
namespace {

constexpr unsigned kMostRetries = 100;

void AddGroup(CLI::App& command, RegistryFlags& flags, const std::string& prefix, const std::string& which) {
  command.add_option("--" + prefix + "creds", flags.credentials, "Log in to " + which + " with these")
      ->type_name("USER[:PASSWORD]");
  command.add_option("--" + prefix + "authfile", flags.auth_file, "Look up credentials for " + which + " here")
      ->type_name("FILE");
  command.add_option("--" + prefix + "cert-dir", flags.cert_dir, "Certificates (*.crt, *.cert, *.key) for " + which)
      ->type_name("DIR");
  command
      .add_flag("--" + prefix + "tls-verify", flags.tls_verify,
                "--" + prefix + "tls-verify=false: take any certificate of " + which + ", and plain HTTP too")
      ->each([&flags](const std::string&) { flags.tls_verify_given = true; });
}

void AddRetries(CLI::App& command, TransferFlags& flags) {
  command.add_option("--retry-times", flags.retry_times, "Further tries of what fails for a while")
      ->check(CLI::Range(0u, kMostRetries))
      ->capture_default_str();
}

oci::RegistryOptions Merge(const RegistryFlags& both, const RegistryFlags& side, unsigned retry_times,
                           const SignalHold& signals) {
  const auto first = [](const std::string& a, const std::string& b) { return a.empty() ? b : a; };
  oci::RegistryOptions options{.authfile = first(side.auth_file, both.auth_file),
                               .cert_dir = first(side.cert_dir, both.cert_dir),
                               .retry_times = retry_times,
                               .interrupted = [&signals] { return signals.Waits(); }};
  const std::string credentials = first(side.credentials, both.credentials);
  if (!credentials.empty()) options.credentials = oci::Credentials::Parse(credentials);
  if (both.tls_verify_given) options.tls_verify = both.tls_verify;
  if (side.tls_verify_given) options.tls_verify = side.tls_verify;
  return options;
}

}  // namespace

void AddSourceFlags(CLI::App& command, TransferFlags& flags) {
  AddGroup(command, flags.both, "", "the registry");
  AddRetries(command, flags);
}

void AddTransferFlags(CLI::App& command, TransferFlags& flags) {
  AddGroup(command, flags.both, "", "both registries");
  AddGroup(command, flags.source, "src-", "the source's registry");
  AddGroup(command, flags.target, "dest-", "the target's registry");
  AddRetries(command, flags);
}

oci::RegistryOptions SourceOptions(const TransferFlags& flags, const SignalHold& signals) {
  return Merge(flags.both, flags.source, flags.retry_times, signals);
}

oci::RegistryOptions TargetOptions(const TransferFlags& flags, const SignalHold& signals) {
  return Merge(flags.both, flags.target, flags.retry_times, signals);
}

}  // namespace sluice::tools
