// SPDX-License-Identifier: Apache-2.0
#include "runtime/token_bucket.h"

#include <algorithm>
#include <chrono>

#include "runtime/timer.h"

namespace sluice::runtime {

namespace {

double InSeconds(Duration duration) noexcept { return std::chrono::duration<double>(duration).count(); }

}  // namespace

TokenBucket::TokenBucket(Engine& engine, uint64_t rate, uint64_t burst)
    : engine_(engine), rate_(rate), burst_(burst), tokens_(static_cast<double>(burst)), filled_at_(engine.Now()) {}

Task<void> TokenBucket::Take(uint64_t amount) {
  if (rate_ == 0) co_return;
  const Permit turn = co_await turn_.Acquire(1);
  Refill();
  // What is there above zero is enough to begin; the rest is a debt, so that any amount can be had.
  const double wanted = std::min(static_cast<double>(amount), static_cast<double>(burst_));
  if (tokens_ < wanted) {
    const double seconds = (wanted - tokens_) / static_cast<double>(rate_);
    co_await Sleep(engine_, std::chrono::ceil<Duration>(std::chrono::duration<double>(seconds)));
    Refill();
  }
  tokens_ -= static_cast<double>(amount);
}

bool TokenBucket::TryTake(uint64_t amount) {
  if (rate_ == 0) return true;
  Refill();
  if (tokens_ < static_cast<double>(amount)) return false;
  tokens_ -= static_cast<double>(amount);
  return true;
}

void TokenBucket::Refill() {
  const TimePoint now = engine_.Now();
  tokens_ += InSeconds(now - filled_at_) * static_cast<double>(rate_);
  tokens_ = std::min(tokens_, static_cast<double>(burst_));
  filled_at_ = now;
}

}  // namespace sluice::runtime
