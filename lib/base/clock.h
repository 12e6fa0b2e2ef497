// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time, injected: nothing below the daemon reads a clock of its own.

#include <chrono>

namespace sluice {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Monotonic time.  Implementations: the engine of a shard (runtime), a hand-moved clock in tests.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const noexcept = 0;
};

// Time of day, in whole seconds: for what is signed or expires by the calendar.
using WallTime = std::chrono::sys_seconds;

// Implementations: runtime/wall_clock.h, a hand-moved clock in tests.
class WallClock {
 public:
  virtual ~WallClock() = default;
  virtual WallTime Now() const noexcept = 0;
};

}  // namespace sluice
