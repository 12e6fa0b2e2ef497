// SPDX-License-Identifier: Apache-2.0
#pragma once
// Limits for what is done ahead of time: bytes and requests per second.  Nothing that a reader waits for asks here.

#include <cstdint>

#include "base/clock.h"
#include "runtime/engine.h"
#include "runtime/semaphore.h"
#include "runtime/task.h"

namespace sluice::http {

// Owned by one shard.
class TokenBucket {
 public:
  // `rate` tokens per second, 0: no limit; at most `burst` (>= 1) are saved up.  `engine` outlives it.
  TokenBucket(runtime::Engine& engine, uint64_t rate, uint64_t burst);

  // Waits until `amount` tokens are there and takes them, first come, first served.  More than `burst` are had for a
  // full bucket and leave a debt, for which the next taker waits.  A stop request takes nothing.
  runtime::Task<void> Take(uint64_t amount);

 private:
  void Refill();

  runtime::Engine& engine_;
  const uint64_t rate_;
  const uint64_t burst_;
  double tokens_;  // below zero: debt
  TimePoint filled_at_;
  runtime::Semaphore turn_{1};
};

// The limits of one shard for requests on the background lane.
class BackgroundThrottle {
 public:
  // 0: no limit.  A second's worth is saved up.
  BackgroundThrottle(runtime::Engine& engine, uint64_t bytes_per_second, uint64_t requests_per_second)
      : bytes_(engine, bytes_per_second, bytes_per_second + 1),
        requests_(engine, requests_per_second, requests_per_second + 1) {}

  // Before a request for so many bytes is sent.
  runtime::Task<void> Admit(uint64_t bytes) {
    co_await requests_.Take(1);
    co_await bytes_.Take(bytes);
  }

 private:
  TokenBucket bytes_;
  TokenBucket requests_;
};

}  // namespace sluice::http
