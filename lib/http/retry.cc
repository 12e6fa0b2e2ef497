// SPDX-License-Identifier: Apache-2.0
#include "http/retry.h"

#include <algorithm>

namespace sluice::http {
namespace {

// first * 2^doublings, at most `most`.
Duration Ceiling(Duration first, unsigned doublings, Duration most) noexcept {
  Duration ceiling = std::min(first, most);
  for (; doublings > 0 && ceiling < most; --doublings) ceiling = std::min(ceiling * 2, most);
  return ceiling;
}

}  // namespace

bool IsWorthRetrying(const Error& error) noexcept {
  return error.code() == Errc::kIo || error.code() == Errc::kTimeout || error.code() == Errc::kBusy;
}

Backoff::Backoff(const Clock& clock, Rng& rng, const RetryPolicy& policy)
    : clock_(clock), rng_(rng), policy_(policy), last_start_(clock.Now() + policy.budget) {}

std::optional<Duration> Backoff::Next(const Error& error, const RetryAdvice& advice) {
  if (!IsWorthRetrying(error) || ++failed_ >= policy_.tries) return std::nullopt;
  const Duration ceiling = Ceiling(policy_.first_delay, failed_ - 1, policy_.most_delay);
  Duration delay(rng_.Below(static_cast<uint64_t>(ceiling.count()) + 1));
  // The jitter comes on top, so that all who were told the same do not come back at the same moment.
  if (advice.retry_after) delay += *advice.retry_after;
  if (clock_.Now() + delay > last_start_) return std::nullopt;
  return delay;
}

}  // namespace sluice::http
