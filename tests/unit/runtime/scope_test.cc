// SPDX-License-Identifier: Apache-2.0
#include "runtime/scope.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "runtime/timer.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::RunOnEngines;
using test::TestEnv;

Task<void> CountAfter(Engine& engine, Duration duration, int& count) {
  co_await Sleep(engine, duration);
  ++count;
}

TEST_CASE("joining a scope awaits every task, also those that the tasks spawn") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Scope scope(env.engine(), "family");
    int count = 0;
    auto parent = [](Engine& engine, Scope& family, int& ended) -> Task<void> {
      co_await Sleep(engine, 1ms);
      for (int i = 0; i < 3; ++i) family.Spawn(CountAfter(engine, 1ms, ended));
      ++ended;
    };
    for (int i = 0; i < 4; ++i) scope.Spawn(parent(env.engine(), scope, count));
    CHECK(scope.size() == 4);
    co_await scope.Join();
    CHECK(count == 16);
    CHECK(scope.size() == 0);
  });
}

TEST_CASE("joining a scope gives the first error, and a stop is none") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Scope scope(env.engine(), "errors");
    auto fail = [](Engine& engine, Duration duration, Errc code) -> Task<void> {
      co_await Sleep(engine, duration);
      Throw(code, "failed");
    };
    scope.Spawn(fail(env.engine(), 1ms, Errc::kStopped));
    scope.Spawn(fail(env.engine(), 50ms, Errc::kNoSpace));
    scope.Spawn(fail(env.engine(), 10ms, Errc::kCorrupt));
    const Errc code = co_await test::ErrorOf(scope.Join());
    CHECK(code == Errc::kCorrupt);
    co_await scope.Join();
  });
}

TEST_CASE("a task that is asked to stop while it joins a scope goes on joining") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    int count = 0;
    auto owner = [](Engine& engine, int& ended) -> Task<void> {
      Scope inner(engine, "inner");
      inner.Spawn(CountAfter(engine, 5ms, ended));
      co_await inner.Join();
    };
    Scope outer(env.engine(), "outer");
    outer.Spawn(owner(env.engine(), count));
    outer.RequestStop();
    co_await outer.Join();
    CHECK(count == 1);
  });
}

TEST_CASE("a task that is spawned after the stop is asked to stop as well") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Scope scope(env.engine(), "late");
    int count = 0;
    scope.RequestStop();
    scope.Spawn(CountAfter(env.engine(), 1ms, count));
    co_await scope.Join();
    CHECK(count == 0);
  });
}

}  // namespace
}  // namespace sluice::runtime
