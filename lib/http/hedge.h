// SPDX-License-Identifier: Apache-2.0
#pragma once
// A second request when the first one takes unusually long: of two, the one that is done first counts.

#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "runtime/engine.h"
#include "runtime/event.h"
#include "runtime/scope.h"
#include "runtime/task.h"
#include "runtime/timer.h"
#include "runtime/workers.h"  // for Lane

namespace sluice::http {

// The recent latencies of one kind of request.  Owned by one shard.
class Latencies {
 public:
  void Add(Duration latency) noexcept;
  // What 95 of 100 recent requests stayed below; nothing before kFewest are known.
  std::optional<Duration> P95() const;

  static constexpr size_t kFewest = 16;

 private:
  static constexpr size_t kMost = 128;
  std::array<Duration, kMost> recent_{};  // a ring
  size_t count_ = 0;                      // all that were ever added
};

namespace detail {

// What the attempts of one Hedged() call share; lives in its frame.
template <typename T>
struct HedgeRace {
  std::optional<T> winner;
  std::exception_ptr failure;  // of the last attempt that failed
  unsigned running = 0;
  runtime::Event changed;
};

template <typename T, typename F>
runtime::Task<void> RunHedged(HedgeRace<T>& race, F& attempt) {
  ++race.running;
  try {
    T result = co_await attempt();
    if (!race.winner) race.winner.emplace(std::move(result));
  } catch (...) {
    race.failure = std::current_exception();
  }
  --race.running;
  race.changed.Set();
}

template <typename T>
runtime::Task<void> AwaitRace(HedgeRace<T>& race) {
  while (!race.winner && race.running > 0) {
    race.changed.Reset();
    co_await race.changed.Wait();
  }
}

runtime::Task<void> SetAfter(runtime::Engine& engine, Duration delay, runtime::Event& event, bool& passed);

}  // namespace detail

// Calls `attempt()` (-> Task<T>, T not void) and, when it has not ended after `delay`, calls it once more beside the
// first.  Gives the first result and stops the other attempt, which has ended too when this one does; throws when both
// fail, or the first does before the second has begun.  So each attempt has buffers of its own.  A stop request reaches
// both.  `attempt` lives until the end; g++ 12: name it before the co_await expression and move it in.
template <typename F>
std::invoke_result_t<F&> Hedged(runtime::Engine& engine, Duration delay, F attempt) {
  using T = decltype(std::declval<std::invoke_result_t<F&>>().TakeResult());
  detail::HedgeRace<T> race;
  runtime::Scope scope(engine, "hedged request");
  bool late = false;
  scope.Spawn(detail::RunHedged<T>(race, attempt));
  scope.Spawn(detail::SetAfter(engine, delay, race.changed, late));
  std::exception_ptr stopped;
  try {
    while (!race.winner && race.running > 0 && !late) {
      race.changed.Reset();
      co_await race.changed.Wait();
    }
    if (!race.winner && race.running > 0) scope.Spawn(detail::RunHedged<T>(race, attempt));
    co_await detail::AwaitRace(race);
  } catch (...) {
    stopped = std::current_exception();
  }
  scope.RequestStop();
  co_await scope.Join();
  if (race.winner) co_return std::move(*race.winner);
  std::rethrow_exception(stopped ? stopped : race.failure);
}

// The requests of one kind to one server, hedged when they take longer than usual.  Owned by one shard.
class Hedge {
 public:
  // `engine` outlives it.  Off: attempts are only passed on.
  Hedge(runtime::Engine& engine, bool on) noexcept : engine_(engine), on_(on) {}

  // As Hedged(), with the delay that 95 of 100 recent attempts stayed below.  Before so many are known, and on the
  // background lane, where nobody waits, there is one attempt only.
  template <typename F>
  std::invoke_result_t<F&> Run(runtime::Lane lane, F attempt) {
    const TimePoint start = engine_.Now();
    const std::optional<Duration> usual =
        on_ && lane == runtime::Lane::kDemand ? latencies_.P95() : std::optional<Duration>();
    std::invoke_result_t<F&> task = usual ? Hedged(engine_, *usual, std::move(attempt)) : attempt();
    auto result = co_await std::move(task);
    latencies_.Add(engine_.Now() - start);
    co_return result;
  }

 private:
  runtime::Engine& engine_;
  const bool on_;
  Latencies latencies_;
};

}  // namespace sluice::http
