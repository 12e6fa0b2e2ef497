// SPDX-License-Identifier: Apache-2.0
#include "runtime/combine.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <vector>

#include "base/error.h"
#include "runtime/event.h"
#include "runtime/file.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::RunOnEngines;
using test::TestEnv;

Task<void> SleepThenThrow(Engine& engine, Duration duration, Errc code, int& ended) {
  co_await Sleep(engine, duration);
  ++ended;
  Throw(code, "after {} ns", duration.count());
}

Task<void> SleepThenEnd(Engine& engine, Duration duration, int& ended) {
  co_await Sleep(engine, duration);
  ++ended;
}

TEST_CASE("WhenAll awaits all tasks before it tells the error of one") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    int ended = 0;
    std::vector<Task<void>> tasks;
    tasks.push_back(SleepThenEnd(env.engine(), 6ms, ended));
    tasks.push_back(SleepThenThrow(env.engine(), 4ms, Errc::kCorrupt, ended));
    tasks.push_back(SleepThenThrow(env.engine(), 1ms, Errc::kNoSpace, ended));
    const Errc code = co_await test::ErrorOf(WhenAll(std::move(tasks)));
    CHECK(ended == 3);
    CHECK(code == Errc::kCorrupt);
  });
}

TEST_CASE("WhenAll of nothing and of tasks that do not suspend ends at once") {
  RunOnEngines([](TestEnv&) -> Task<void> {
    int count = 0;
    auto now = [](int& counter) -> Task<void> {
      ++counter;
      co_return;
    };
    co_await WhenAll({});
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(now(count));
    co_await WhenAll(std::move(tasks));
    CHECK(count == 5);
  });
}

TEST_CASE("a deadline ends a task with a timeout") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const TimePoint begin = env.engine().Now();
    const Errc code = co_await test::ErrorOf(WithTimeout(env.engine(), 2ms, Sleep(env.engine(), 1h)));
    CHECK(code == Errc::kTimeout);
    CHECK(env.engine().Now() - begin < 1h);
  });
}

TEST_CASE("a task that is done in time gives its result, and its own error stays") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    auto value = [](Engine& engine) -> Task<int> {
      co_await Sleep(engine, 1ms);
      co_return 5;
    };
    const int result = co_await WithTimeout(env.engine(), 1h, value(env.engine()));
    CHECK(result == 5);
    int ended = 0;
    Task<void> fails = SleepThenThrow(env.engine(), 1ms, Errc::kNoSpace, ended);
    const Errc code = co_await test::ErrorOf(WithTimeout(env.engine(), 1h, std::move(fails)));
    CHECK(code == Errc::kNoSpace);
  });
}

TEST_CASE("a timeout waits for a task that does not heed it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    int ended = 0;
    co_await WithTimeout(env.engine(), 1ms, WithoutStop(SleepThenEnd(env.engine(), 5ms, ended)));
    CHECK(ended == 1);
  });
}

TEST_CASE("a stop request of the caller is no timeout") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Scope scope(env.engine(), "stopped");
    Errc code = Errc::kIo;
    auto waits = [](Engine& engine, Errc& out) -> Task<void> {
      Event never;
      out = co_await test::ErrorOf(WithTimeout(engine, 1h, never.Wait()));
    };
    scope.Spawn(waits(env.engine(), code));
    scope.RequestStop();
    co_await scope.Join();
    CHECK(code == Errc::kStopped);
  });
}

}  // namespace
}  // namespace sluice::runtime
