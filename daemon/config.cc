// SPDX-License-Identifier: Apache-2.0
// The configuration file; the rest of options.h is in options.cc.
#include <toml++/toml.h>

#include "base/error.h"
#include "options.h"

namespace sluice::daemon {
namespace {

template <typename T>
void Take(std::optional<T>& to, const toml::node& value, std::string_view key, const std::string& name) {
  using Stored = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
  const auto typed = value.value_exact<Stored>();
  if (!typed) {
    Throw(Errc::kInvalidArgument, "configuration '{}' line {}: the value of '{}' has the wrong type", name,
          value.source().begin.line, key);
  }
  if constexpr (std::is_integral_v<T>) {
    if (*typed < 0) {
      Throw(Errc::kInvalidArgument, "configuration '{}' line {}: '{}' is negative", name, value.source().begin.line,
            key);
    }
  }
  to = static_cast<T>(*typed);
}

[[noreturn]] void RefuseKey(const toml::node& value, std::string_view key, const std::string& name) {
  Throw(Errc::kInvalidArgument, "configuration '{}' line {}: unknown key '{}'", name, value.source().begin.line, key);
}

// The table "cachefiles".
void TakeCachefiles(OptionValues& values, const toml::node& node, const std::string& name) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) {
    Throw(Errc::kInvalidArgument, "configuration '{}' line {}: 'cachefiles' is not a table", name,
          node.source().begin.line);
  }
  for (const auto& [key, value] : *table) {
    if (key == "dir") {
      Take(values.cachefiles_dir, value, key, name);
    } else if (key == "tag") {
      Take(values.cachefiles_tag, value, key, name);
    } else if (key == "run") {
      Take(values.cachefiles_run, value, key, name);
    } else if (key == "cull") {
      Take(values.cachefiles_cull, value, key, name);
    } else if (key == "stop") {
      Take(values.cachefiles_stop, value, key, name);
    } else if (key == "quota") {
      Take(values.cachefiles_quota, value, key, name);
    } else {
      RefuseKey(value, key, name);
    }
  }
}

}  // namespace

OptionValues ParseConfig(const std::string& text, const std::string& name) {
  OptionValues values;
  try {
    const toml::table table = toml::parse(text, name);
    for (const auto& [key, value] : table) {
      if (key == "root") {
        Take(values.root, value, key, name);
      } else if (key == "socket") {
        Take(values.socket, value, key, name);
      } else if (key == "frontend") {
        Take(values.frontend, value, key, name);
      } else if (key == "engine") {
        Take(values.engine, value, key, name);
      } else if (key == "shards") {
        Take(values.shards, value, key, name);
      } else if (key == "log-level") {
        Take(values.log_level, value, key, name);
      } else if (key == "holder") {
        Take(values.holder, value, key, name);
      } else if (key == "cachefiles") {
        TakeCachefiles(values, value, name);
      } else {
        RefuseKey(value, key, name);
      }
    }
  } catch (const toml::parse_error& error) {
    Throw(Errc::kInvalidArgument, "configuration '{}' line {}: {}", name, error.source().begin.line,
          error.description());
  }
  return values;
}

}  // namespace sluice::daemon
