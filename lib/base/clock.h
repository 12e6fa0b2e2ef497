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

}  // namespace sluice
