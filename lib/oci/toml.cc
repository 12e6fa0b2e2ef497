// SPDX-License-Identifier: Apache-2.0
#include "oci/toml.h"

#include "base/error.h"
#include "base/limits.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxTomlBytes = 1 * kMiB;

[[noreturn]] void Refuse(const toml::node& node, std::string_view key, std::string_view expected,
                         std::string_view what) {
  Throw(Errc::kCorrupt, "{}: line {}: '{}' is not {}", what, node.source().begin.line, key, expected);
}

}  // namespace

toml::table ParseToml(std::string_view text, std::string_view what) {
  if (text.size() > kMaxTomlBytes)
    Throw(Errc::kCorrupt, "{}: {} bytes of TOML, more than {}", what, text.size(), kMaxTomlBytes);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& e) {
    // The library's description may repeat the text, which may hold the secrets of a header.
    Throw(Errc::kCorrupt, "{}: line {}: no valid TOML", what, e.source().begin.line);
  }
}

std::optional<std::string> FindText(const toml::table& table, std::string_view key, std::string_view what) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) Refuse(*node, key, "a string", what);
  return node->as_string()->get();
}

std::optional<bool> FindBoolean(const toml::table& table, std::string_view key, std::string_view what) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_boolean()) Refuse(*node, key, "true or false", what);
  return node->as_boolean()->get();
}

const toml::table* FindTable(const toml::table& table, std::string_view key, std::string_view what) {
  const toml::node* node = table.get(key);
  if (node != nullptr && !node->is_table()) Refuse(*node, key, "a table", what);
  return node == nullptr ? nullptr : node->as_table();
}

const toml::array* FindArray(const toml::table& table, std::string_view key, std::string_view what) {
  const toml::node* node = table.get(key);
  if (node != nullptr && !node->is_array()) Refuse(*node, key, "a list", what);
  return node == nullptr ? nullptr : node->as_array();
}

}  // namespace sluice::oci
