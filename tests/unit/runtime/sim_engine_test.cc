// SPDX-License-Identifier: Apache-2.0
#include "runtime/sim_engine.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/file.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::RunOnSimulator;
using test::TestEnv;

// The order in which five tasks that do the same end.
std::string OrderOfEnds(uint64_t seed) {
  std::string order;
  SimDisk disk;
  SimEngine engine(disk, seed);
  auto body = [&]() -> Task<void> {
    File file = co_await File::Open(engine, "/file", O_RDWR | O_CREAT);
    auto write = [](File& to, char name, std::string& out) -> Task<void> {
      const char text[] = {name};
      co_await to.WriteAll(AsBytes({text, 1}), 0);
      out += name;
    };
    std::vector<Task<void>> tasks;
    for (char name = 'a'; name < 'f'; ++name) tasks.push_back(write(file, name, order));
    co_await WhenAll(std::move(tasks));
  };
  engine.Run(body());
  return order;
}

TEST_CASE("a seed decides the order of events, and always in the same way") {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const std::string order = OrderOfEnds(seed);
    CHECK(order == OrderOfEnds(seed));
    orders.insert(order);
  }
  CHECK(orders.size() > 20);
}

TEST_CASE("an hour of the simulator takes no time") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        const TimePoint begin = env.engine().Now();
        co_await Sleep(env.engine(), 1h);
        CHECK(env.engine().Now() - begin == 1h);
      },
      3);
}

// Writers that are stopped at a random moment, with every fault on: each ends exactly once, nothing is left in flight
// (the engine checks that at its end), and a record that was reported as synced survives the crash.
TEST_CASE("200 seeds of stops, faults and crashes keep the promises") {
  constexpr size_t kWriters = 12;
  constexpr size_t kRecord = 700;  // not a multiple of a sector
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    SimDisk disk;
    const SimFaults faults{.short_transfer = 50, .ignored_cancel = 50, .write_error = 3, .sync_error = 5};
    std::vector<bool> durable(kWriters);
    size_t ended = 0;
    {
      SimEngine engine(disk, seed, faults);
      disk.Put("/file", {});
      if (seed % 2 == 0) disk.FreezeAfter(engine.rng().Below(40));
      auto writer = [&durable, &ended](Engine& on, File& file, size_t index) -> Task<void> {
        const std::vector<std::byte> record(kRecord, static_cast<std::byte>('A' + index));
        try {
          co_await file.WriteAll(record, index * kRecord);
          co_await file.SyncData();
          durable[index] = true;
          co_await Sleep(on, 1h);
        } catch (const Error& error) {
          const bool expected = error.code() == Errc::kStopped || error.code() == Errc::kIo;
          CHECK(expected);
        }
        ++ended;
      };
      auto body = [&]() -> Task<void> {
        File file = co_await File::Open(engine, "/file", O_RDWR);
        Scope scope(engine, "writers");
        for (size_t i = 0; i < kWriters; ++i) scope.Spawn(writer(engine, file, i));
        co_await Sleep(engine, std::chrono::microseconds(engine.rng().Below(3000)));
        scope.RequestStop();
        co_await scope.Join();
      };
      engine.Run(body());
    }
    CHECK(ended == kWriters);
    Rng rng(seed);
    disk.Crash(rng);
    const std::vector<std::byte> content = disk.Content("/file").value();
    for (size_t i = 0; i < kWriters; ++i) {
      if (!durable[i]) continue;
      REQUIRE(content.size() >= (i + 1) * kRecord);
      for (size_t at = i * kRecord; at < (i + 1) * kRecord; ++at) {
        if (content[at] != static_cast<std::byte>('A' + i)) FAIL("record " << i << ", byte " << at);
      }
    }
  }
}

}  // namespace
}  // namespace sluice::runtime
