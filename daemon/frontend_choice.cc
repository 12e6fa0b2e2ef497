// SPDX-License-Identifier: Apache-2.0
#include "frontend_choice.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "frontend/cachefiles/kernel_device.h"
#include "frontend/fanotify/probe.h"
#include "gates.h"

namespace sluice::daemon {
namespace {

constexpr const char* kTakenOver = "taken over from the previous worker";

Frontend MakeFanotify(const Options& options, size_t shards, const ServiceManager& manager) {
  frontend::fanotify::Probe(options.root + "/probe");
  Frontend made;
  made.choice = {.name = "fanotify", .reason = "a tiny image was mounted and read"};
  made.gates = MakeGates(shards, manager);
  return made;
}

Frontend MakeCachefiles(const Options& options, const ServiceManager& manager) {
  Frontend made;
  made.choice = {.name = "cachefiles", .reason = "the kernel serves on demand"};
  made.device = frontend::cachefiles::OpenDevice(options.cachefiles.settings);
  manager.Store(kCachefilesName, made.device.get());
  return made;
}

}  // namespace

Frontend TakeFrontend(std::map<std::string, UniqueFd>& passed, const ServiceManager& manager, Log& log) {
  Frontend taken;
  taken.gates = TakeGates(passed, manager, log);
  if (!taken.gates.empty()) taken.choice = {.name = "fanotify", .reason = kTakenOver};
  if (auto node = passed.extract(kCachefilesName); !node.empty()) {
    // Whoever has read a request and is dead will not answer it: this worker has to hear it again.
    if (frontend::cachefiles::RestoreRequests(node.mapped())) {
      taken.choice = {.name = "cachefiles", .reason = kTakenOver};
      taken.device = std::move(node.mapped());
    } else {
      log.Error(
          "cannot go on with the kernel's cache (it is dead, or the kernel is older than 6.8): beginning anew; what is "
          "mounted has to be unmounted and mounted again, its readers get EIO");
      manager.Remove(kCachefilesName);
    }
  }
  taken.taken_over = static_cast<bool>(taken);
  return taken;
}

Frontend MakeFrontend(const Options& options, size_t shards, const ServiceManager& manager) {
  std::string refused;
  if (options.frontend != FrontendKind::kCachefiles) {
    try {
      return MakeFanotify(options, shards, manager);
    } catch (Error& error) {
      if (options.frontend == FrontendKind::kFanotify) {
        error.AddContext("the front end fanotify does not work here");
        throw;
      }
      refused = error.message();
    }
  }
  try {
    Frontend made = MakeCachefiles(options, manager);
    if (!refused.empty()) made.choice.reason += fmt::format("; not fanotify: {}", refused);
    return made;
  } catch (Error& error) {
    error.AddContext(refused.empty() ? "the front end cachefiles does not work here"
                                     : fmt::format("no front end works here: fanotify: {}; cachefiles", refused));
    throw;
  }
}

}  // namespace sluice::daemon
