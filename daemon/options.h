// SPDX-License-Identifier: Apache-2.0
#pragma once
// What sluiced is told: command line over configuration file over defaults.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/clock.h"
#include "base/log.h"
#include "frontend/cachefiles/kernel_device.h"
#include "network_options.h"
#include "runtime/engine.h"
#include "runtime/shard.h"

namespace sluice::daemon {

enum class FrontendKind : uint8_t { kAuto, kFanotify, kCachefiles };

// Who keeps the kernel's descriptors while the worker restarts.
enum class HolderKind : uint8_t {
  kSelf,            // this process, which starts a worker
  kParent,          // such a process: this one is its worker
  kServiceManager,  // e.g. systemd
};

// Of the kernel's cache.
struct CachefilesOptions {
  frontend::cachefiles::CacheSettings settings;  // directory empty: below the root
  uint64_t quota = 0;                            // bytes; 0: none
  bool operator==(const CachefilesOptions&) const = default;
};

struct Options {
  static constexpr const char* kDefaultConfig = "/etc/sluice/config.toml";

  std::string root = "/var/lib/sluice";
  std::string socket = "/run/sluice/sluiced.sock";
  FrontendKind frontend = FrontendKind::kAuto;
  runtime::EngineKind engine = runtime::EngineKind::kAuto;
  uint64_t shards = 0;  // 0: as many as there are CPUs, at most kMostDefaultShards
  LogLevel log_level = LogLevel::kInfo;
  HolderKind holder = HolderKind::kSelf;
  CachefilesOptions cachefiles;
  Duration fetch_timeout = std::chrono::seconds(30);  // then a reader gets EIO, whatever its backend does
  Duration mount_timeout = std::chrono::seconds(60);  // for manifest and bootstrap of an image
  // Of what nobody waits for, by all shards together; 0: no limit.
  uint64_t prefetch_bytes_per_second = 0;
  uint64_t prefetch_requests_per_second = 0;
  NetworkOptions network;

  bool operator==(const Options&) const = default;
};

// What one source says; what it does not say stays empty.
struct OptionValues {
  std::optional<std::string> root, socket, frontend, engine, log_level, holder;
  std::optional<uint64_t> shards;
  // All that follows is in the configuration file only: first the table "cachefiles".
  std::optional<std::string> cachefiles_dir, cachefiles_tag;
  std::optional<uint64_t> cachefiles_run, cachefiles_cull, cachefiles_stop, cachefiles_quota;
  std::optional<uint64_t> fetch_timeout_ms, mount_timeout_ms;
  // The table "prefetch".
  std::optional<uint64_t> prefetch_bytes_per_second, prefetch_requests_per_second;
  // The table "network".
  std::optional<uint64_t> connect_timeout_ms, answer_timeout_ms, retries, retry_delay_ms, most_pause_ms;
  std::optional<bool> hedge;
  std::optional<std::string> proxy, no_proxy, auth_file;
};

// `text` is TOML; `name` is for messages.  Throws kInvalidArgument for a syntax error, an unknown key or a value of
// another type.
OptionValues ParseConfig(const std::string& text, const std::string& name);

// `stronger` over `weaker` over the defaults.  Throws kInvalidArgument for a value that makes no sense.
Options Combine(const OptionValues& stronger, const OptionValues& weaker);

// Reads the configuration file too.  An int is an exit code: --help, --version or a usage error, already printed.
// Throws kInvalidArgument as above, kNotFound for a --config that does not exist.
std::variant<Options, int> ReadOptions(int argc, char** argv);

}  // namespace sluice::daemon
