// SPDX-License-Identifier: Apache-2.0
// The configuration file; the rest of options.h is in options.cc.
#include <toml++/toml.h>

#include <functional>
#include <map>

#include "base/error.h"
#include "options.h"

namespace sluice::daemon {
namespace {

template <typename T>
void Take(std::optional<T>& to, const toml::node& value, std::string_view key, const std::string& name) {
  constexpr bool kNumber = std::is_integral_v<T> && !std::is_same_v<T, bool>;
  using Stored = std::conditional_t<kNumber, int64_t, T>;
  const auto typed = value.value_exact<Stored>();
  if (!typed) {
    Throw(Errc::kInvalidArgument, "configuration '{}' line {}: the value of '{}' has the wrong type", name,
          value.source().begin.line, key);
  }
  if constexpr (kNumber) {
    if (*typed < 0) {
      Throw(Errc::kInvalidArgument, "configuration '{}' line {}: '{}' is negative", name, value.source().begin.line,
            key);
    }
  }
  to = static_cast<T>(*typed);
}

using Keys = std::map<std::string_view, std::function<void(const toml::node&)>>;

void TakeAll(const toml::table& table, const Keys& keys, const std::string& name) {
  for (const auto& [key, value] : table) {
    const auto known = keys.find(std::string_view(key));
    if (known == keys.end()) {
      Throw(Errc::kInvalidArgument, "configuration '{}' line {}: unknown key '{}'", name, value.source().begin.line,
            std::string_view(key));
    }
    known->second(value);
  }
}

}  // namespace

OptionValues ParseConfig(const std::string& text, const std::string& name) {
  OptionValues values;
  const auto into = [&](std::string_view key, auto& to) {
    return Keys::value_type(key, [&to, key, &name](const toml::node& value) { Take(to, value, key, name); });
  };
  const Keys network{into("connect-timeout-ms", values.connect_timeout_ms),
                     into("answer-timeout-ms", values.answer_timeout_ms),
                     into("retries", values.retries),
                     into("retry-delay-ms", values.retry_delay_ms),
                     into("most-pause-ms", values.most_pause_ms),
                     into("hedge", values.hedge),
                     into("proxy", values.proxy),
                     into("no-proxy", values.no_proxy),
                     into("auth-file", values.auth_file)};
  const Keys cachefiles{into("dir", values.cachefiles_dir),   into("tag", values.cachefiles_tag),
                        into("run", values.cachefiles_run),   into("cull", values.cachefiles_cull),
                        into("stop", values.cachefiles_stop), into("quota", values.cachefiles_quota)};
  const Keys prefetch{into("bytes-per-second", values.prefetch_bytes_per_second),
                      into("requests-per-second", values.prefetch_requests_per_second)};
  const auto table = [&](std::string_view key, const Keys& keys) {
    return Keys::value_type(key, [&keys, key, &name](const toml::node& value) {
      if (!value.is_table()) {
        Throw(Errc::kInvalidArgument, "configuration '{}' line {}: '{}' is not a table", name,
              value.source().begin.line, key);
      }
      TakeAll(*value.as_table(), keys, name);
    });
  };
  const Keys keys{into("root", values.root),
                  into("socket", values.socket),
                  into("frontend", values.frontend),
                  into("engine", values.engine),
                  into("shards", values.shards),
                  into("log-level", values.log_level),
                  into("holder", values.holder),
                  into("fetch-timeout-ms", values.fetch_timeout_ms),
                  into("mount-timeout-ms", values.mount_timeout_ms),
                  table("cachefiles", cachefiles),
                  table("prefetch", prefetch),
                  table("network", network)};
  try {
    TakeAll(toml::parse(text, name), keys, name);
  } catch (const toml::parse_error& error) {
    Throw(Errc::kInvalidArgument, "configuration '{}' line {}: {}", name, error.source().begin.line,
          error.description());
  }
  return values;
}

}  // namespace sluice::daemon
