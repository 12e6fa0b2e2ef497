// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which front end serves, and what it holds of the kernel: new, or left by the previous worker.  Before the first
// thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/types.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend/fanotify/gate.h"
#include "options.h"
#include "service_manager.h"

namespace sluice::daemon {

// The name under which the holder keeps /dev/cachefiles.
constexpr const char* kCachefilesName = "cachefiles";

struct Frontend {
  api::Choice choice;                           // name: "fanotify" or "cachefiles"
  std::vector<frontend::fanotify::Gate> gates;  // of fanotify, one per shard
  UniqueFd device;                              // of cachefiles: bound, in the holder's keeping
  bool taken_over = false;                      // from the previous worker

  explicit operator bool() const noexcept { return device || !gates.empty(); }
};

// What the previous worker left in `passed`; nothing when it left nothing that works.  Called before anything else
// opens a descriptor (gates.h).
Frontend TakeFrontend(std::map<std::string, UniqueFd>& passed, const ServiceManager& manager, Log& log);

// The one that `options` ask for, or the first that works.  `shards`: their number.  When this ends the holder has what
// must survive this worker.  Throws what it lacks, of each that was tried.
Frontend MakeFrontend(const Options& options, size_t shards, const ServiceManager& manager);

}  // namespace sluice::daemon
