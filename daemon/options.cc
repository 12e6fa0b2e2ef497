// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "durable_file.h"
#include "frontend/cachefiles/keys.h"

namespace sluice::daemon {
namespace {

constexpr int kExitUsage = 2;
constexpr uint64_t kMaxConfigBytes = 1 * kMiB;
constexpr uint64_t kMostMilliseconds = 3'600'000;  // of a timeout
constexpr uint64_t kMostRetries = 100;

template <typename Kind>
Kind Choose(const std::string& value, std::string_view option,
            std::initializer_list<std::pair<std::string_view, Kind>> of) {
  for (const auto& [name, kind] : of) {
    if (value == name) return kind;
  }
  std::string names;
  for (const auto& [name, kind] : of) names.append(names.empty() ? "" : ", ").append(name);
  Throw(Errc::kInvalidArgument, "{} '{}' is none of: {}", option, value, names);
}

const std::string& Absolute(const std::string& path, std::string_view option) {
  if (path.empty() || path[0] != '/') Throw(Errc::kInvalidArgument, "{} '{}' is not an absolute path", option, path);
  return path;
}

// Only the configuration file speaks of it.
CachefilesOptions CombineCachefiles(const OptionValues& values, const std::string& root) {
  CachefilesOptions options;
  auto& settings = options.settings;
  settings.directory =
      values.cachefiles_dir ? Absolute(*values.cachefiles_dir, "cachefiles.dir") : root + "/cachefiles";
  if (values.cachefiles_tag) settings.tag = *values.cachefiles_tag;
  frontend::cachefiles::RequireName(settings.tag, "cachefiles.tag");
  settings.run = values.cachefiles_run.value_or(settings.run);
  settings.cull = values.cachefiles_cull.value_or(settings.cull);
  settings.stop = values.cachefiles_stop.value_or(settings.stop);
  if (settings.stop >= settings.cull || settings.cull >= settings.run || settings.run >= 99) {
    Throw(Errc::kInvalidArgument, "cachefiles: stop {}, cull {} and run {} have to ascend, below 99", settings.stop,
          settings.cull, settings.run);
  }
  options.quota = values.cachefiles_quota.value_or(options.quota);
  return options;
}

void TakeMilliseconds(Duration& to, const std::optional<uint64_t>& value, std::string_view option) {
  if (!value) return;
  if (*value == 0 || *value > kMostMilliseconds) {
    Throw(Errc::kInvalidArgument, "{} {} is not between 1 and {}", option, *value, kMostMilliseconds);
  }
  to = std::chrono::milliseconds(*value);
}

std::string ReadText(const std::string& path) {
  const auto content = ReadWholeFile(path, kMaxConfigBytes);
  return std::string(AsText(content));
}

OptionValues ReadConfig(const std::optional<std::string>& asked) {
  if (asked) return ParseConfig(ReadText(*asked), *asked);
  struct stat status {};
  if (::stat(Options::kDefaultConfig, &status) != 0 && errno == ENOENT) return {};
  return ParseConfig(ReadText(Options::kDefaultConfig), Options::kDefaultConfig);
}

}  // namespace

Options Combine(const OptionValues& stronger, const OptionValues& weaker) {
  const auto pick = [](const auto& first, const auto& second) { return first ? first : second; };
  Options options;
  if (const auto value = pick(stronger.root, weaker.root)) options.root = Absolute(*value, "root");
  if (const auto value = pick(stronger.socket, weaker.socket)) options.socket = Absolute(*value, "socket");
  if (const auto value = pick(stronger.frontend, weaker.frontend)) {
    options.frontend = Choose<FrontendKind>(*value, "frontend",
                                            {{"auto", FrontendKind::kAuto},
                                             {"fanotify", FrontendKind::kFanotify},
                                             {"cachefiles", FrontendKind::kCachefiles}});
  }
  if (const auto value = pick(stronger.engine, weaker.engine)) options.engine = runtime::ParseEngineKind(*value);
  if (const auto value = pick(stronger.log_level, weaker.log_level)) options.log_level = ParseLogLevel(*value);
  if (const auto value = pick(stronger.holder, weaker.holder)) {
    options.holder = Choose<HolderKind>(*value, "holder",
                                        {{"self", HolderKind::kSelf},
                                         {"parent", HolderKind::kParent},
                                         {"service-manager", HolderKind::kServiceManager}});
  }
  if (const auto value = pick(stronger.shards, weaker.shards)) {
    if (*value > runtime::Shards::kMost) {
      Throw(Errc::kInvalidArgument, "shards {} is more than {}", *value, runtime::Shards::kMost);
    }
    options.shards = *value;
  }
  options.cachefiles = CombineCachefiles(weaker, options.root);
  TakeMilliseconds(options.fetch_timeout, pick(stronger.fetch_timeout_ms, weaker.fetch_timeout_ms), "fetch-timeout-ms");
  TakeMilliseconds(options.mount_timeout, pick(stronger.mount_timeout_ms, weaker.mount_timeout_ms), "mount-timeout-ms");
  options.prefetch_bytes_per_second = weaker.prefetch_bytes_per_second.value_or(0);
  options.prefetch_requests_per_second = weaker.prefetch_requests_per_second.value_or(0);
  NetworkOptions& network = options.network;
  TakeMilliseconds(network.connect_timeout, pick(stronger.connect_timeout_ms, weaker.connect_timeout_ms),
                   "connect-timeout-ms");
  TakeMilliseconds(network.answer_timeout, pick(stronger.answer_timeout_ms, weaker.answer_timeout_ms),
                   "answer-timeout-ms");
  TakeMilliseconds(network.retry.first_delay, pick(stronger.retry_delay_ms, weaker.retry_delay_ms), "retry-delay-ms");
  TakeMilliseconds(network.most_pause, pick(stronger.most_pause_ms, weaker.most_pause_ms), "most-pause-ms");
  network.retry.budget = options.fetch_timeout;
  if (const auto value = pick(stronger.retries, weaker.retries)) {
    if (*value > kMostRetries) Throw(Errc::kInvalidArgument, "retries {} is more than {}", *value, kMostRetries);
    network.retry.tries = static_cast<unsigned>(*value) + 1;
  }
  network.hedge = pick(stronger.hedge, weaker.hedge).value_or(network.hedge);
  if (const auto value = pick(stronger.proxy, weaker.proxy)) network.proxy = *value;
  if (const auto value = pick(stronger.no_proxy, weaker.no_proxy)) network.no_proxy = *value;
  if (const auto value = pick(stronger.auth_file, weaker.auth_file)) network.auth_file = Absolute(*value, "auth-file");
  return options;
}

std::variant<Options, int> ReadOptions(int argc, char** argv) {
  OptionValues values;
  std::optional<std::string> config;
  CLI::App app("Serves container images on demand.");
  app.name("sluiced");
  app.set_version_flag("--version", "sluiced " SLUICE_VERSION);
  app.add_option("--root", values.root, "Directory of cache, images and mount table (/var/lib/sluice)");
  app.add_option("--socket", values.socket, "Socket of the API (/run/sluice/sluiced.sock)");
  app.add_option("--config", config, "Configuration file (/etc/sluice/config.toml, if it exists)");
  app.add_option("--frontend", values.frontend, "Kernel front end: auto, fanotify, cachefiles");
  app.add_option("--engine", values.engine, "Event loop: auto, io_uring, epoll");
  app.add_option("--shards", values.shards, "Serving threads; 0: by the number of CPUs");
  app.add_option("--log-level", values.log_level, "debug, info, warning, error");
  // The holder starts its worker with the arguments that it got and one more --holder.
  app.add_option("--holder", values.holder, "Who keeps the kernel's descriptors: self, service-manager")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return Combine(values, ReadConfig(config));
}

}  // namespace sluice::daemon
