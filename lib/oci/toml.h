// SPDX-License-Identifier: Apache-2.0
#pragma once
// TOML files of others: read within limits, with errors that say where.  Internal to oci.

#include <toml++/toml.h>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::oci {

// Throws kCorrupt, naming `what` and the line, for text that is no TOML or has more than 1 MiB.
toml::table ParseToml(std::string_view text, std::string_view what);

// The value of `key`; nothing when it is missing.  Throws kCorrupt when it is of another type.
std::optional<std::string> FindText(const toml::table& table, std::string_view key, std::string_view what);
std::optional<bool> FindBoolean(const toml::table& table, std::string_view key, std::string_view what);
// Null when it is missing.
const toml::table* FindTable(const toml::table& table, std::string_view key, std::string_view what);
const toml::array* FindArray(const toml::table& table, std::string_view key, std::string_view what);

}  // namespace sluice::oci
