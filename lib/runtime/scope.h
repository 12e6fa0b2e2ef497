// SPDX-License-Identifier: Apache-2.0
#pragma once
// The owner of tasks that nobody awaits one by one.

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "runtime/engine.h"
#include "runtime/event.h"
#include "runtime/stop.h"
#include "runtime/task.h"

namespace sluice::runtime {

// On one shard.  Whoever owns it joins it before it is destroyed; otherwise it aborts and names itself.
class Scope {
 public:
  Scope(Engine& engine, std::string_view name);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Starts `task` at once, up to its first suspension.  Allowed while joining, also from a task of the scope.  The
  // caller bounds how many it spawns.
  void Spawn(Task<void> task);
  // Asks all tasks to end, also those spawned later.
  void RequestStop() noexcept { stop_.RequestStop(); }
  bool stop_requested() const noexcept { return stop_.requested(); }
  // Tasks that run.
  uint64_t size() const noexcept { return running_; }
  // Ends when no task runs any more, and then throws the first exception that one of them ended with; kStopped does not
  // count.  Not itself ended by a stop request: what was started is awaited.
  Task<void> Join();

 private:
  class Child;
  void OnEnd(std::exception_ptr error) noexcept;

  Engine& engine_;
  const std::string name_;
  StopSource stop_;
  const Context context_;
  uint64_t running_ = 0;
  std::exception_ptr first_error_;
  Event idle_;
};

}  // namespace sluice::runtime
