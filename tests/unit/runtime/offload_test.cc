// SPDX-License-Identifier: Apache-2.0
#include "runtime/offload.h"

#include <catch2/catch.hpp>
#include <mutex>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using test::RunOnEngines;
using test::TestEnv;

TEST_CASE("offloaded work gives its result or its exception") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Offload offload(2);
    int base = 20;
    auto add = [base] { return base + 1; };
    const int sum = co_await offload.Run(env.engine(), add);
    CHECK(sum == 21);
    auto fail = [] { Throw(Errc::kCorrupt, "bad frame"); };
    const Errc code = co_await test::ErrorOf(offload.Run(env.engine(), fail));
    CHECK(code == Errc::kCorrupt);
  });
}

TEST_CASE("offloaded work runs beside the loop, not on it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Offload offload(1);
    auto who = [] { return std::this_thread::get_id(); };
    const std::thread::id worker = co_await offload.Run(env.engine(), who);
    CHECK((worker == std::this_thread::get_id()) == env.engine().simulated());
  });
}

TEST_CASE("the simulator ends offloaded work in an order that the seed decides") {
  std::set<std::string> orders;
  test::RunOnSimulator(
      [&](TestEnv& env) -> Task<void> {
        Offload offload(1);
        std::string order;
        auto call = [](Engine& engine, Offload& on, char name, std::string& out) -> Task<void> {
          auto work = [name] { return name; };
          out += co_await on.Run(engine, std::move(work));
        };
        Scope scope(env.engine(), "calls");
        for (const char name : {'a', 'b', 'c'}) scope.Spawn(call(env.engine(), offload, name, order));
        co_await scope.Join();
        orders.insert(order);
      },
      50);
  CHECK(orders.size() == 6);
}

// One worker, held until everything is queued.
TEST_CASE("demand goes before background, and a stop takes back what has not begun") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.simulator() != nullptr) co_return;  // its one thread cannot be held
    Offload offload(1);
    std::binary_semaphore begun(0), release(0);
    std::vector<char> order;  // written by the one worker only
    auto queue = [](Engine& engine, Offload& on, std::vector<char>& out, char name, Lane lane) -> Task<void> {
      auto work = [&out, name] { out.push_back(name); };
      co_await on.Run(engine, std::move(work), lane);
    };
    auto hold = [](Engine& engine, Offload& on, std::binary_semaphore& in, std::binary_semaphore& go) -> Task<void> {
      auto work = [&in, &go] {
        in.release();
        go.acquire();
      };
      co_await on.Run(engine, std::move(work));
    };
    Scope scope(env.engine(), "work"), dropped(env.engine(), "dropped");
    scope.Spawn(hold(env.engine(), offload, begun, release));
    begun.acquire();
    scope.Spawn(queue(env.engine(), offload, order, 'b', Lane::kBackground));
    scope.Spawn(queue(env.engine(), offload, order, 'B', Lane::kBackground));
    scope.Spawn(queue(env.engine(), offload, order, 'd', Lane::kDemand));
    dropped.Spawn(queue(env.engine(), offload, order, 'x', Lane::kDemand));
    scope.Spawn(queue(env.engine(), offload, order, 'D', Lane::kDemand));
    dropped.RequestStop();
    co_await dropped.Join();
    CHECK(scope.size() == 5);
    release.release();
    co_await scope.Join();
    CHECK(order == std::vector{'d', 'D', 'b', 'B'});
  });
}

}  // namespace
}  // namespace sluice::runtime
