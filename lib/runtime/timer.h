// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timers of one engine, and sleeping.  Owned by the engine's thread.

#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "runtime/task.h"

namespace sluice::runtime {

// Fires once when its time has come.  Armed and disarmed through an engine; destroying an armed timer aborts.
class Timer {
 public:
  Timer() noexcept = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();

  bool armed() const noexcept { return place_ != kNone; }

 protected:
  // From the engine's loop; the timer is disarmed already.
  virtual void OnTimer() noexcept = 0;

 private:
  friend class TimerHeap;
  static constexpr size_t kNone = SIZE_MAX;
  TimePoint due_;
  size_t place_ = kNone;
};

// The armed timers of an engine by time: a binary heap, so arming and disarming cost O(log n).  Bounded by the tasks
// that sleep.
class TimerHeap {
 public:
  ~TimerHeap();
  void Arm(Timer& timer, TimePoint due) noexcept;
  // Allowed for a timer that is not armed.
  void Disarm(Timer& timer) noexcept;
  std::optional<TimePoint> NextDue() const noexcept;
  // Fires the timers that are due at `now`, at most as many as are armed at the call.
  void FireDue(TimePoint now) noexcept;

 private:
  void Place(Timer* timer, size_t at) noexcept;
  void SiftUp(Timer* timer, size_t at) noexcept;
  void SiftDown(Timer* timer, size_t at) noexcept;
  std::vector<Timer*> heap_;
};

// Ends after `duration`; throws kStopped at once when a stop is requested.
Task<void> Sleep(Engine& engine, Duration duration);

}  // namespace sluice::runtime
