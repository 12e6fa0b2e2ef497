// SPDX-License-Identifier: Apache-2.0
#pragma once
// The groups and journals of all shards: new ones given to the holder, or those that the previous worker left there.

#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/fanotify/gate.h"
#include "service_manager.h"

namespace sluice::daemon {

// How many gates the previous worker left.
size_t CountPassedGates(const std::map<std::string, UniqueFd>& passed);

// Takes its gates out of `passed`.  Occupies the numbers of unanswered events, so it is called before anything else
// opens a descriptor.  Without a readable journal of its group, readers of that shard whose event was received get EIO.
std::vector<frontend::fanotify::Gate> TakeGates(std::map<std::string, UniqueFd>& passed, const ServiceManager& manager,
                                                Log& log);

// `count` new gates.  When this ends the holder has them: before that nothing may be marked.
std::vector<frontend::fanotify::Gate> MakeGates(size_t count, const ServiceManager& manager);

}  // namespace sluice::daemon
