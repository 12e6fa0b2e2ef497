// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the worker's control shard asks of the mounts, whatever front end serves them.

#include "api/service.h"
#include "runtime/task.h"

namespace sluice::daemon {

class Serving : public api::MountService {
 public:
  // Looks after what changes without a request: what others unmount, what the cache needs.
  virtual runtime::Task<void> Sweep() = 0;
  // Unmounts everything; then nothing is mounted any more.  False: something is in use; it is logged and goes on being
  // served, and so does what is asked for.
  virtual runtime::Task<bool> UnmountAll() = 0;
  // Null: the front end has no bindings.
  virtual api::BindService* bindings() noexcept { return nullptr; }
};

}  // namespace sluice::daemon
