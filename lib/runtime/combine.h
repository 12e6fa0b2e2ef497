// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tasks made of tasks: all of several, one with a deadline, one that is not to be stopped.

#include <vector>

#include "base/clock.h"
#include "runtime/engine.h"
#include "runtime/task.h"

namespace sluice::runtime {

// Starts all tasks, awaits all of them, then throws the exception of the first one (by position) that has one.  All run
// in the context of the caller: its stop request reaches each.
Task<void> WhenAll(std::vector<Task<void>> tasks);

namespace detail {

// Asks for a stop when the time has come, on behalf of WithTimeout.
class Deadline final : private Timer {
 public:
  Deadline(Engine& engine, Duration duration, LinkedStopSource& stop) noexcept;
  ~Deadline() override;
  // Called from a handler: turns the kStopped that this deadline has caused into kTimeout, throws all else on.
  [[noreturn]] void RethrowCurrent() const;

 private:
  void OnTimer() noexcept override;
  Engine& engine_;
  const Duration duration_;
  LinkedStopSource& stop_;
  bool passed_ = false;
};

}  // namespace detail

// Awaits `task`, which is asked to stop when `duration` has passed.  Throws kTimeout if it then ends with kStopped,
// always after it has ended; a task that finishes in spite of it gives its result.
template <typename T>
Task<T> WithTimeout(Engine& engine, Duration duration, Task<T> task) {
  const Context& outer = co_await CurrentContext();
  LinkedStopSource stop(outer.stop);
  const Context context{engine, stop.token()};
  detail::Deadline deadline(engine, duration, stop);
  try {
    co_return co_await InContext(task, context);
  } catch (...) {
    deadline.RethrowCurrent();
  }
}

// Awaits `task` and keeps stop requests from it: for what must be finished once begun.
template <typename T>
Task<T> WithoutStop(Task<T> task) {
  const Context& outer = co_await CurrentContext();
  StopSource never;
  const Context context{outer.engine, StopToken(never)};
  co_return co_await InContext(task, context);
}

}  // namespace sluice::runtime
