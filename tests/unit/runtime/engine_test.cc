// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "runtime/event.h"
#include "runtime/file.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using test::RunOnEngines;
using test::TestEnv;

TEST_CASE("an engine is asked for by name") {
  CHECK(ParseEngineKind("auto") == EngineKind::kAuto);
  CHECK(ParseEngineKind("io_uring") == EngineKind::kUring);
  CHECK(ParseEngineKind("epoll") == EngineKind::kEpoll);
  CHECK_THROWS_AS(ParseEngineKind("aio"), Error);
  CHECK(MakeEngine(EngineKind::kEpoll)->name() == "epoll");
  CHECK_FALSE(MakeEngine(EngineKind::kAuto)->reason().empty());
}

TEST_CASE("a task waits for a descriptor, and another wakes it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.simulator() != nullptr) co_return;  // has no descriptors of the kernel
    const UniqueFd fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    Scope scope(env.engine(), "reader");
    bool readable = false;
    auto reader = [](Engine& engine, int from, bool& done) -> Task<void> {
      co_await WaitReadable(engine, from);
      done = true;
    };
    scope.Spawn(reader(env.engine(), fd.get(), readable));
    co_await WaitWritable(env.engine(), fd.get());  // both directions at once
    CHECK_FALSE(readable);
    eventfd_write(fd.get(), 1);
    co_await scope.Join();
    CHECK(readable);
  });
}

TEST_CASE("a wait for a descriptor ends with a stop request") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.simulator() != nullptr) co_return;
    const UniqueFd fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    for (int round = 0; round < 3; ++round) {
      Scope scope(env.engine(), "reader");
      Errc code = Errc::kIo;
      auto reader = [](Engine& engine, int from, Errc& out) -> Task<void> {
        out = co_await test::ErrorOf(WaitReadable(engine, from));
      };
      scope.Spawn(reader(env.engine(), fd.get(), code));
      if (round > 0) co_await Sleep(env.engine(), std::chrono::milliseconds(1));  // in the kernel by then
      scope.RequestStop();
      co_await scope.Join();
      CHECK(code == Errc::kStopped);
    }
  });
}

TEST_CASE("work that another thread posts wakes a sleeping engine") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.simulator() != nullptr) co_return;
    struct Set final : Runnable {
      void Run() noexcept override { event.Set(); }
      Event event;
    } set;
    for (int i = 0; i < 100; ++i) {
      set.event.Reset();
      std::thread other([&] { env.engine().Post(set); });
      co_await set.event.Wait();
      other.join();
    }
    CHECK(set.event.is_set());
  });
}

}  // namespace
}  // namespace sluice::runtime
