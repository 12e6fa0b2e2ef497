// SPDX-License-Identifier: Apache-2.0
#pragma once
// Limits for what is done ahead of time: bytes and requests per second.  Nothing that a reader waits for asks here.

#include <cstdint>

#include "base/clock.h"
#include "runtime/engine.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"

namespace sluice::http {

// Owned by one shard.  Takers are served in order.
class TokenBucket final : private runtime::WaitList {
 public:
  // `rate` tokens per second, 0: no limit; at most `burst` (>= 1) are saved up.  `engine` outlives it.
  TokenBucket(runtime::Engine& engine, uint64_t rate, uint64_t burst);
  // Waits until `amount` tokens are there and takes them.  More than `burst` are taken as a debt that the next taker
  // waits for.  Ended by a stop request.
  runtime::Task<void> Take(uint64_t amount);

 private:
  void Refill();

  runtime::Engine& engine_;
  const uint64_t rate_;
  const uint64_t burst_;
  double tokens_;  // may be negative: debt
  TimePoint filled_at_;
  bool serving_ = false;  // a taker sleeps for its tokens; the others wait behind it
};

}  // namespace sluice::http
