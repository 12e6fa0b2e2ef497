// SPDX-License-Identifier: Apache-2.0
#include "runtime/timer.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::RunOnEngines;
using test::TestEnv;

struct Recorder final : Timer {
  explicit Recorder(std::vector<TimePoint>& f) : fired(f) {}
  void OnTimer() noexcept override { fired.push_back(due); }
  std::vector<TimePoint>& fired;
  TimePoint due;
};

TEST_CASE("timers fire in the order of their times, without those that were disarmed") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    std::vector<TimePoint> fired;
    TimerHeap heap;
    std::vector<std::unique_ptr<Recorder>> timers;
    for (int i = 0; i < 60; ++i) {
      timers.push_back(std::make_unique<Recorder>(fired));
      timers.back()->due = TimePoint(Duration(rng.Below(30)));
      heap.Arm(*timers.back(), timers.back()->due);
    }
    std::vector<TimePoint> expected;
    for (const auto& timer : timers) {
      if (rng.Chance(30)) {
        heap.Disarm(*timer);
        heap.Disarm(*timer);
      } else {
        expected.push_back(timer->due);
      }
    }
    std::sort(expected.begin(), expected.end());
    for (int now = 0; now < 30; ++now) heap.FireDue(TimePoint(Duration(now)));
    INFO("seed " << seed);
    CHECK(fired == expected);
    CHECK_FALSE(heap.NextDue().has_value());
  }
}

TEST_CASE("a sleeping task goes on not before its time") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const TimePoint begin = env.engine().Now();
    co_await Sleep(env.engine(), 3ms);
    CHECK(env.engine().Now() - begin >= 3ms);
  });
}

TEST_CASE("a sleeping task is woken by a stop request") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Scope scope(env.engine(), "sleepers");
    Errc code = Errc::kIo;
    auto sleeper = [](Engine& engine, Errc& out) -> Task<void> { out = co_await test::ErrorOf(Sleep(engine, 1h)); };
    scope.Spawn(sleeper(env.engine(), code));
    scope.RequestStop();
    co_await scope.Join();
    CHECK(code == Errc::kStopped);
  });
}

}  // namespace
}  // namespace sluice::runtime
