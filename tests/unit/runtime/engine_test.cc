// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>  // for SYS_io_uring_setup
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

// More waits than the ring takes, and so more cancellations than one submission carries.
TEST_CASE("a stop ends many waits at once, also those that the engine has not begun") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.simulator() != nullptr) co_return;
    std::vector<UniqueFd> fds;
    for (int i = 0; i < 700; ++i) fds.emplace_back(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    int stopped = 0;
    auto reader = [](Engine& engine, int from, int& count) -> Task<void> {
      const Errc code = co_await test::ErrorOf(WaitReadable(engine, from));
      count += code == Errc::kStopped ? 1 : 0;
    };
    Scope scope(env.engine(), "readers");
    for (const UniqueFd& fd : fds) {
      REQUIRE(fd.get() >= 0);
      scope.Spawn(reader(env.engine(), fd.get(), stopped));
    }
    co_await Sleep(env.engine(), std::chrono::milliseconds(1));
    scope.RequestStop();
    co_await scope.Join();
    CHECK(stopped == 700);
  });
}

// In a process of its own, because a filter cannot be taken back.
TEST_CASE("where io_uring is forbidden, epoll is taken and the reason told") {
  const pid_t child = fork();
  if (child == 0) {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{std::size(program), program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
      _exit(1);
    const std::unique_ptr<Engine> engine = MakeEngine(EngineKind::kAuto);
    if (engine->name() != "epoll" || engine->reason().find("seccomp") == std::string::npos) _exit(2);
    engine->Run(Sleep(*engine, std::chrono::microseconds(1)));
    try {
      MakeEngine(EngineKind::kUring);
    } catch (const Error& error) {
      _exit(error.code() == Errc::kUnsupported ? 0 : 3);
    }
    _exit(4);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
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
