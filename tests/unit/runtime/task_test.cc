// SPDX-License-Identifier: Apache-2.0
#include "runtime/task.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "runtime/event.h"
#include "runtime/file.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using test::RunOnEngines;
using test::TestEnv;

Task<int> Double(int value) { co_return 2 * value; }

Task<int> Fail(std::string what) {
  Throw(Errc::kCorrupt, "{}", what);
  co_return 0;
}

// Runs `body` in a process of its own; the signal that ended it, 0 for a normal end.
template <typename F>
int SignalThatEnds(F body) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGABRT, SIG_DFL);  // not Catch's handler
    std::freopen("/dev/null", "w", stderr);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("a task does nothing before it is awaited") {
  bool ran = false;
  auto body = [&]() -> Task<void> {
    ran = true;
    co_return;
  };
  { const Task<void> dropped = body(); }
  CHECK_FALSE(ran);
}

TEST_CASE("an exception passes through the awaiting tasks") {
  RunOnEngines([](TestEnv&) -> Task<void> {
    auto middle = []() -> Task<int> { co_return 1 + co_await Fail("the chunk"); };
    std::string message;
    try {
      co_await middle();
    } catch (const Error& error) {
      message = error.message();
    }
    CHECK(message == "the chunk");
  });
}

TEST_CASE("a million awaits in a loop need no stack") {
  RunOnEngines(
      [](TestEnv&) -> Task<void> {
        int64_t sum = 0;
        for (int i = 0; i < 1000000; ++i) sum += co_await Double(1);
        CHECK(sum == 2000000);
      },
      1);
}

TEST_CASE("a result that can only be moved is moved") {
  RunOnEngines([](TestEnv&) -> Task<void> {
    auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
    const std::unique_ptr<int> value = co_await make();
    CHECK(*value == 7);
  });
}

TEST_CASE("a task hands its context to those it awaits") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    auto inner = [](Engine& engine) -> Task<bool> {
      const Context& context = co_await CurrentContext();
      co_return &context.engine == &engine && !context.stop.requested();
    };
    const bool same = co_await inner(env.engine());
    CHECK(same);
  });
}

// Awaiting nothing, resumed by nobody: ends the process when its frame is destroyed.
TEST_CASE("destroying a running task aborts") {
  CHECK(SignalThatEnds([] {
          SimDisk disk;
          SimEngine engine(disk, 1);
          Event never;
          struct Nothing final : Runnable {
            void Run() noexcept override {}
          } nothing;
          StopSource stop;
          const Context context{engine, StopToken(stop)};
          Task<void> task = never.Wait();
          task.Start(context, nothing);
          { const Task<void> dies = std::move(task); }
        }) == SIGABRT);
}

TEST_CASE("destroying an engine with an operation in flight aborts") {
  CHECK(SignalThatEnds([] {
          SimDisk disk;
          auto engine = std::make_unique<SimEngine>(disk, 1);
          struct Nothing final : Runnable {
            void Run() noexcept override {}
          } nothing;
          StopSource stop;
          const Context context{*engine, StopToken(stop)};
          Task<File> task = File::Open(*engine, "/file", 0);
          task.Start(context, nothing);
          engine.reset();
          _exit(1);
        }) == SIGABRT);
}

TEST_CASE("the simulator aborts when all tasks wait for ever") {
  CHECK(SignalThatEnds([] {
          SimDisk disk;
          SimEngine engine(disk, 1);
          Event never;
          engine.Run(never.Wait());
        }) == SIGABRT);
}

}  // namespace
}  // namespace sluice::runtime
