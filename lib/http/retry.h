// SPDX-License-Identifier: Apache-2.0
#pragma once
// When and how often something is tried again.  The policy is told to users in docs/http-policy.md.

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "runtime/engine.h"
#include "runtime/task.h"
#include "runtime/timer.h"

namespace sluice::http {

struct RetryPolicy {
  unsigned tries = 4;  // all in all; 1: never again
  Duration first_delay =
      std::chrono::milliseconds(100);             // the ceiling of the first delay; doubles with each further try
  Duration most_delay = std::chrono::seconds(5);  // the ceiling of all ceilings
  // From the start of the first try to the start of the last: what cannot begin before is not begun.
  Duration budget = std::chrono::seconds(30);

  bool operator==(const RetryPolicy&) const = default;
};

// What a try learns about the next one, besides its error.
struct RetryAdvice {
  std::optional<Duration> retry_after;  // the server's own wish (RFC 9110 section 10.2.3)
};

// Whether trying the same again may help: kIo, kTimeout and kBusy.
bool IsWorthRetrying(const Error& error) noexcept;

// The delays of one sequence of tries: full jitter (uniform between zero and a ceiling that doubles), never shorter
// than the server asked for.
class Backoff {
 public:
  // `clock` and `rng` outlive it.
  Backoff(const Clock& clock, Rng& rng, const RetryPolicy& policy);
  // How long to wait after a try that failed with `error`; nothing: `error` is final.
  std::optional<Duration> Next(const Error& error, const RetryAdvice& advice);

 private:
  const Clock& clock_;
  Rng& rng_;
  const RetryPolicy policy_;
  const TimePoint last_start_;
  unsigned failed_ = 0;
};

// Calls `attempt(advice)` (RetryAdvice& -> Task<T>) until it succeeds, fails for good, or the policy ends; then throws
// the last error.  Sleeps on the engine; a stop request ends it.  `attempt` may be a lambda coroutine with captures: it
// lives until the end.  g++ 12: name it before the co_await expression and move it in.
template <typename F>
std::invoke_result_t<F&, RetryAdvice&> WithRetry(runtime::Engine& engine, Rng& rng, RetryPolicy policy, F attempt) {
  Backoff backoff(engine, rng, policy);
  for (;;) {
    RetryAdvice advice;
    std::optional<Duration> delay;
    try {
      co_return co_await attempt(advice);
    } catch (const Error& error) {
      delay = backoff.Next(error, advice);
      if (!delay) throw;
    }
    co_await runtime::Sleep(engine, *delay);
  }
}

}  // namespace sluice::http
