// SPDX-License-Identifier: Apache-2.0
#include "runtime/shard.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/run_on.h"
#include "runtime/scope.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

Task<std::thread::id> WhereAmI() { co_return std::this_thread::get_id(); }

template <typename F>
void OnRealEngines(F f) {
  for (const EngineKind kind : {EngineKind::kAuto, EngineKind::kEpoll}) {
    Shards shards(3, kind);
    INFO("engine " << shards[0].engine().name());
    f(shards);
  }
}

TEST_CASE("a plain thread runs a task on a shard") {
  OnRealEngines([](Shards& shards) {
    CHECK(BlockOn(shards[1], WhereAmI) == BlockOn(shards[1], WhereAmI));
    CHECK(BlockOn(shards[0], WhereAmI) != BlockOn(shards[1], WhereAmI));
    CHECK(BlockOn(shards[0], WhereAmI) != std::this_thread::get_id());
    CHECK_THROWS_AS(BlockOn(shards[2],
                            []() -> Task<void> {
                              Throw(Errc::kBusy, "no");
                              co_return;
                            }),
                    Error);
  });
}

Task<int> PingPong(Shards& shards, size_t at, int rounds) {
  if (rounds == 0) co_return 0;
  const size_t next = (at + 1) % shards.size();
  auto further = [&shards, next, rounds]() -> Task<int> { return PingPong(shards, next, rounds - 1); };
  const int below = co_await RunOn(shards[next], std::move(further));
  CHECK(shards[at].IsCurrent());
  co_return below + 1;
}

TEST_CASE("calls between shards come back to the shard that made them") {
  OnRealEngines([](Shards& shards) {
    auto play = [&shards]() -> Task<int> { return PingPong(shards, 0, 50); };
    CHECK(BlockOn(shards[0], play) == 50);
  });
}

// Both shards call each other at once, many times: a race that TSan can see.
TEST_CASE("shards call each other at the same time") {
  OnRealEngines([](Shards& shards) {
    std::vector<int> counters(shards.size());  // each belongs to one shard
    auto call = [](Shards& all, std::vector<int>& counts, size_t to) -> Task<void> {
      for (int i = 0; i < 200; ++i) {
        auto add = [&counts, to]() -> Task<void> {
          ++counts[to];
          co_return;
        };
        co_await RunOn(all[to], std::move(add));
      }
    };
    auto callers = [&]() -> Task<void> {
      std::vector<Task<void>> from;
      for (size_t at = 0; at < shards.size(); ++at) {
        for (size_t to = 0; to < shards.size(); ++to) {
          auto start = [&, to]() -> Task<void> { return call(shards, counters, to); };
          from.push_back(RunOn(shards[at], std::move(start)));
        }
      }
      co_await WhenAll(std::move(from));
    };
    BlockOn(shards[0], callers);
    CHECK(counters == std::vector<int>(3, 600));
  });
}

TEST_CASE("a stop request follows a task to another shard") {
  OnRealEngines([](Shards& shards) {
    auto body = [&shards]() -> Task<Errc> {
      Errc code = Errc::kIo;
      auto sleeper = [](Shards& all, Errc& out) -> Task<void> {
        auto sleep = [&all]() -> Task<void> { return Sleep(all[1].engine(), 1h); };
        try {
          co_await RunOn(all[1], std::move(sleep));
        } catch (const Error& error) {
          out = error.code();
        }
      };
      Scope scope(shards[0].engine(), "caller");
      scope.Spawn(sleeper(shards, code));
      scope.RequestStop();
      co_await scope.Join();
      Scope late(shards[0].engine(), "late");
      late.Spawn(sleeper(shards, code));
      co_await Sleep(shards[0].engine(), 2ms);
      late.RequestStop();
      co_await late.Join();
      co_return code;
    };
    CHECK(BlockOn(shards[0], body) == Errc::kStopped);
  });
}

// The stop and the end of the task cross each other on their way.
TEST_CASE("a stop request may meet the end of a task on another shard") {
  OnRealEngines([](Shards& shards) {
    auto body = [&shards]() -> Task<int> {
      int ended = 0;
      auto caller = [](Shards& all, int& count) -> Task<void> {
        auto nothing = []() -> Task<void> { co_return; };
        co_await RunOn(all[1], nothing);
        ++count;
      };
      for (int i = 0; i < 300; ++i) {
        Scope scope(shards[0].engine(), "caller");
        scope.Spawn(caller(shards, ended));
        if (i % 2 == 0) co_await Sleep(shards[0].engine(), Duration(i * 100));
        scope.RequestStop();
        co_await scope.Join();
      }
      co_return ended;
    };
    CHECK(BlockOn(shards[0], body) == 300);
  });
}

TEST_CASE("what a function captures stays alive while its task runs elsewhere") {
  OnRealEngines([](Shards& shards) {
    auto body = [&shards]() -> Task<std::string> {
      auto owner = std::make_shared<std::string>("captured and long enough for the heap");
      auto late = [owner = std::move(owner), &shards]() -> Task<std::string> {
        co_await Sleep(shards[2].engine(), 1ms);
        co_return *owner;
      };
      co_return co_await RunOn(shards[2], std::move(late));
    };
    CHECK(BlockOn(shards[0], body) == "captured and long enough for the heap");
  });
}

}  // namespace
}  // namespace sluice::runtime
