// SPDX-License-Identifier: Apache-2.0
#pragma once
// A rate that tasks of one shard keep together: bytes or requests per second of what nobody waits for.

#include <cstdint>

#include "base/clock.h"
#include "runtime/engine.h"
#include "runtime/semaphore.h"
#include "runtime/task.h"

namespace sluice::runtime {

// Owned by one shard.
class TokenBucket {
 public:
  // `rate` tokens per second, 0: no limit; at most `burst` (>= 1) are saved up.  `engine` outlives it.
  TokenBucket(Engine& engine, uint64_t rate, uint64_t burst);

  // Waits until `amount` tokens are there and takes them, first come, first served.  More than `burst` are had for a
  // full bucket and leave a debt, for which the next taker waits.  A stop request takes nothing.
  Task<void> Take(uint64_t amount);
  // Takes `amount` tokens if they are there now.
  bool TryTake(uint64_t amount);

 private:
  void Refill();

  Engine& engine_;
  const uint64_t rate_;
  const uint64_t burst_;
  double tokens_;  // below zero: debt
  TimePoint filled_at_;
  Semaphore turn_{1};
};

}  // namespace sluice::runtime
