// SPDX-License-Identifier: Apache-2.0
#pragma once
// A flag that tasks of one shard can wait for.

#include "runtime/task.h"
#include "runtime/wait_list.h"

namespace sluice::runtime {

class Event final : private WaitList {
 public:
  bool is_set() const noexcept { return set_; }
  // Lets everybody go who waits, and whoever comes later.
  void Set() noexcept;
  void Reset() noexcept { set_ = false; }
  // Does not suspend when the flag is set.  The event outlives the task.
  Task<void> Wait();

 private:
  bool set_ = false;
};

}  // namespace sluice::runtime
