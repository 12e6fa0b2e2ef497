// SPDX-License-Identifier: Apache-2.0
#pragma once
// The time of day of this machine.

#include "base/clock.h"

namespace sluice::runtime {

// Has no state; thread-safe.
class SystemWallClock final : public WallClock {
 public:
  WallTime Now() const noexcept override {
    return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
  }
};

}  // namespace sluice::runtime
