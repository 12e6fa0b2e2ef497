// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the blobs of one mount come from and how they may be fetched there, as it is remembered over restarts.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/secret.h"

namespace sluice::daemon {

// A directory with blob files.
struct DirectorySpec {
  std::string path;  // absolute

  bool operator==(const DirectorySpec&) const = default;
};

// A repository of a registry.
struct RegistrySpec {
  std::string repository;               // "HOST[:PORT]/NAME"
  std::optional<bool> tls_verify;       // false: any certificate will do, and plain HTTP too; empty: as configured
  std::string cert_dir;                 // absolute; empty: the directories of the system
  std::vector<std::string> auth_files;  // absolute, looked up in this order; empty: those of the daemon
  bool has_credentials = false;         // they are in BackendSecrets

  bool operator==(const RegistrySpec&) const = default;
};

// What a backend configuration says; it may hold secrets anywhere, so all of it is in BackendSecrets.
struct ConfiguredSpec {
  bool operator==(const ConfiguredSpec&) const = default;
};

using BackendSpec = std::variant<DirectorySpec, RegistrySpec, ConfiguredSpec>;

// What must not appear in logs, answers, errors or the mount table.
struct BackendSecrets {
  Secret credentials;    // of a RegistrySpec: "USER:PASSWORD"; empty: none
  Secret configuration;  // of a ConfiguredSpec: JSON as in docs/backends.md; empty: none

  bool empty() const noexcept { return credentials.empty() && configuration.empty(); }
  bool operator==(const BackendSecrets&) const = default;
};

bool HasSecrets(const BackendSpec& spec) noexcept;

// The forms of docs/formats/mount-table.md.  Both parsers throw kCorrupt naming `what` and the field, never a value.
nlohmann::json ToJson(const BackendSpec& spec);
BackendSpec ParseBackendSpec(const nlohmann::json& json, const std::string& what);
std::string FormatSecrets(const BackendSecrets& secrets);
BackendSecrets ParseSecrets(std::string_view text, const std::string& what);

}  // namespace sluice::daemon
