// SPDX-License-Identifier: Apache-2.0
#include "runtime/token_bucket.h"

#include <catch2/catch.hpp>
#include <vector>

#include "runtime/scope.h"
#include "runtime/timer.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::TestEnv;

constexpr uint64_t kSeeds = 20;
// Operations of the simulator end a little later than they could.
constexpr Duration kSlack = 25ms;

TEST_CASE("a bucket lets through what it has saved, then its rate") {
  const auto body = [](TestEnv& env) -> Task<void> {
    TokenBucket bucket(env.engine(), 1000, 500);
    const TimePoint start = env.engine().Now();
    const auto passed = [&] { return env.engine().Now() - start; };
    co_await bucket.Take(500);
    CHECK(passed() == 0ms);
    for (int i = 0; i < 10; ++i) co_await bucket.Take(100);
    CHECK(passed() >= 1s);
    CHECK(passed() <= 1s + kSlack);
    // More than it ever holds is had for a full bucket; the next one pays.
    co_await bucket.Take(3000);
    CHECK(passed() <= 1500ms + 2 * kSlack);
    co_await bucket.Take(1);
    CHECK(passed() >= 4s);
    CHECK(passed() <= 4001ms + 4 * kSlack);
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("who cannot wait takes what is there, or nothing") {
  const auto body = [](TestEnv& env) -> Task<void> {
    TokenBucket bucket(env.engine(), 1000, 500);
    CHECK_FALSE(bucket.TryTake(501));
    CHECK(bucket.TryTake(500));
    CHECK_FALSE(bucket.TryTake(1));
    co_await Sleep(env.engine(), 200ms);
    CHECK(bucket.TryTake(200));
    CHECK_FALSE(bucket.TryTake(200));
    TokenBucket unlimited(env.engine(), 0, 1);
    CHECK(unlimited.TryTake(1'000'000));
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("takers of a bucket are served in order, and who leaves takes nothing") {
  const auto body = [](TestEnv& env) -> Task<void> {
    TokenBucket bucket(env.engine(), 1000, 1000);
    co_await bucket.Take(1000);
    std::vector<int> order;
    const auto take = [&](int name, uint64_t amount) -> Task<void> {
      co_await bucket.Take(amount);
      order.push_back(name);
    };
    Scope scope(env.engine(), "leaves");
    scope.Spawn(take(0, 1000));
    Scope rest(env.engine(), "stay");
    rest.Spawn(take(1, 900));
    rest.Spawn(take(2, 1));
    co_await Sleep(env.engine(), 500ms);
    scope.RequestStop();
    co_await scope.Join();
    co_await rest.Join();
    CHECK(order == std::vector<int>{1, 2});
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("a bucket without a rate never waits") {
  const auto body = [](TestEnv& env) -> Task<void> {
    TokenBucket bucket(env.engine(), 0, 1);
    const TimePoint start = env.engine().Now();
    for (int i = 0; i < 1000; ++i) co_await bucket.Take(UINT64_MAX);
    CHECK(env.engine().Now() == start);
  };
  test::RunOnSimulator(body, 1);
}

}  // namespace
}  // namespace sluice::runtime
