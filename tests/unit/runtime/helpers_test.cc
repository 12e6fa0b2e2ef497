// SPDX-License-Identifier: Apache-2.0
#include "runtime/helpers.h"

#include <sys/eventfd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

#include "base/error.h"
#include "runtime/file.h"
#include "runtime/offload.h"
#include "runtime/scope.h"
#include "runtime/timer.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::RunOnEngines;
using test::TestEnv;

constexpr auto kPatience = 20s;  // what comes later does not come

// A bell, and helpers that answer when it rings.
class Desk {
 public:
  // Each ring of the bell starts `answer`.
  Desk(Engine& engine, size_t threads, std::function<Task<void>()> answer)
      : bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), answer_(std::move(answer)), scope_(engine, "answers") {
    helpers_.emplace(engine, bell_.get(), threads, "helper", on_readable_);
    helpers_->Rearm();
  }

  void Ring() const noexcept { eventfd_write(bell_.get(), 1); }
  Task<void> Close() {
    co_await helpers_->Stop();
    co_await scope_.Join();
    helpers_.reset();
  }

 private:
  void OnReadable() noexcept {
    eventfd_t rings;
    eventfd_read(bell_.get(), &rings);
    helpers_->Rearm();
    scope_.Spawn(answer_());
  }

  const UniqueFd bell_;
  const std::function<Task<void>()> answer_;
  Scope scope_;
  Step<Desk, &Desk::OnReadable> on_readable_{*this};
  std::optional<Helpers> helpers_;
};

// Who did what.
struct Threads {
  std::thread::id before, call, after;
};

// What the answers of a test share; outlives its desk.
struct Notes {
  explicit Notes(Engine& the_engine, ByHelpers by_helpers = ByHelpers::kYes)
      : engine(the_engine), offload(2, by_helpers) {}

  Task<void> Answer() {
    Threads threads{.before = std::this_thread::get_id()};
    auto call = [] { return std::this_thread::get_id(); };
    threads.call = co_await offload.Run(engine, std::move(call));
    threads.after = std::this_thread::get_id();
    seen.push_back(threads);
    answered.Set();
  }
  Task<void> Answered() {
    co_await answered.Wait();
    answered.Reset();
  }

  Engine& engine;
  Offload offload;
  std::vector<Threads> seen;
  Event answered;
};

// As RunOnEngines, without the simulator, which has no descriptors.
void RunOnRealEngines(const std::function<Task<void>(Engine&)>& body) {
  RunOnEngines([&](TestEnv& env) -> Task<void> {
    if (env.simulator() == nullptr) co_await body(env.engine());
  });
}

}  // namespace

TEST_CASE("a helper that is told of an event makes the call itself and goes on with the task") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    const std::thread::id home = std::this_thread::get_id();
    Notes notes(engine);
    Desk desk(engine, 4, [&] { return notes.Answer(); });
    for (int ring = 0; ring < 50; ++ring) {
      desk.Ring();
      co_await notes.Answered();
    }
    co_await desk.Close();
    CHECK(std::this_thread::get_id() == home);
    REQUIRE(notes.seen.size() == 50);
    int kept = 0;
    for (const Threads& threads : notes.seen) {
      CHECK(threads.before != home);
      if (threads.call != threads.before) continue;
      ++kept;
      CHECK(threads.after == threads.before);
    }
    // Not those that came when the others had not come back yet.
    CHECK(kept > 25);
  });
}

TEST_CASE("a helper leaves calls that are not for it") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    Notes notes(engine, ByHelpers::kNo);
    Desk desk(engine, 2, [&] { return notes.Answer(); });
    desk.Ring();
    co_await notes.Answered();
    co_await desk.Close();
    REQUIRE(notes.seen.size() == 1);
    CHECK(notes.seen[0].call != notes.seen[0].before);
  });
}

TEST_CASE("calls that hang leave one helper that listens, and it keeps none") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    Notes notes(engine);
    std::counting_semaphore<2> release(0);
    size_t rings = 0;
    auto hang = [&]() -> Task<void> {
      notes.answered.Set();
      auto call = [&] { release.acquire(); };
      co_await notes.offload.Run(engine, std::move(call));
    };
    Desk desk(engine, 3, [&] { return rings++ < 2 ? hang() : notes.Answer(); });
    for (int ring = 0; ring < 5; ++ring) {
      desk.Ring();
      co_await notes.Answered();
    }
    release.release(2);
    co_await desk.Close();
    REQUIRE(notes.seen.size() == 3);
    for (const Threads& threads : notes.seen) CHECK(threads.call != threads.before);
  });
}

TEST_CASE("a timer that was armed in a helper's turn fires while the helper is busy") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    Notes notes(engine);
    Scope timers(engine, "timers");
    std::binary_semaphore fired(0);
    bool in_time = false;
    auto fire = [](Engine& on, std::binary_semaphore& out) -> Task<void> {
      co_await Sleep(on, 5ms);
      out.release();
    };
    auto answer = [&]() -> Task<void> {
      timers.Spawn(fire(engine, fired));
      auto call = [&] { return fired.try_acquire_for(kPatience); };
      in_time = co_await notes.offload.Run(engine, std::move(call));
      notes.answered.Set();
    };
    Desk desk(engine, 2, answer);
    desk.Ring();
    co_await notes.Answered();
    co_await desk.Close();
    co_await timers.Join();
    CHECK(in_time);
  });
}

// More than an io_uring hands over at once.
TEST_CASE("operations that were begun and ended in a helper's turn are handed over") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    constexpr size_t kEach = 100;
    Notes notes(engine);
    std::vector<UniqueFd> fds;
    for (size_t i = 0; i < 2 * kEach; ++i) fds.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    Scope stopped(engine, "stopped"), told(engine, "told");
    std::vector<Errc> ends;
    size_t readable = 0;
    auto stop = [&](int fd) -> Task<void> { ends.push_back(co_await test::ErrorOf(WaitReadable(engine, fd))); };
    auto tell = [&](int fd) -> Task<void> {
      co_await WaitReadable(engine, fd);
      ++readable;
    };
    auto answer = [&]() -> Task<void> {
      for (size_t i = 0; i < kEach; ++i) stopped.Spawn(stop(fds[i].get()));
      for (size_t i = kEach; i < 2 * kEach; ++i) told.Spawn(tell(fds[i].get()));
      stopped.RequestStop();
      co_await stopped.Join();
      for (const UniqueFd& fd : fds) eventfd_write(fd.get(), 1);
      co_await told.Join();
      notes.answered.Set();
    };
    Desk desk(engine, 2, answer);
    desk.Ring();
    co_await notes.Answered();
    co_await desk.Close();
    CHECK(ends == std::vector<Errc>(kEach, Errc::kStopped));
    CHECK(readable == kEach);
  });
}

TEST_CASE("helpers are asked to stop and end after the calls that they make") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    Notes notes(engine);
    std::binary_semaphore release(0);
    bool made = false;
    auto answer = [&]() -> Task<void> {
      notes.answered.Set();
      auto call = [&] { release.acquire(); };
      co_await notes.offload.Run(engine, std::move(call));
      made = true;
    };
    Desk desk(engine, 2, answer);
    desk.Ring();
    co_await notes.Answered();
    Scope closing(engine, "closing");
    closing.Spawn(desk.Close());
    co_await Sleep(engine, 2ms);
    CHECK(closing.size() == 1);
    release.release();
    co_await closing.Join();
    CHECK(made);
  });
}

TEST_CASE("tasks of the loop, of helpers and of other threads do not meet") {
  RunOnRealEngines([](Engine& engine) -> Task<void> {
    constexpr int kRings = 200;
    Notes notes(engine);
    int shared = 0;  // by one thread at a time: TSan says otherwise
    int answers = 0;
    auto answer = [&]() -> Task<void> {
      ++shared;
      auto nothing = [] {};
      co_await notes.offload.Run(engine, std::move(nothing));
      ++shared;
      ++answers;
      notes.answered.Set();
    };
    auto tick = [&]() -> Task<void> {
      while (answers < kRings) {
        ++shared;
        co_await Sleep(engine, 50us);
      }
    };
    Desk desk(engine, 3, answer);
    Scope ticks(engine, "ticks");
    ticks.Spawn(tick());
    for (int ring = 0; ring < kRings; ++ring) {
      desk.Ring();
      co_await notes.Answered();
    }
    co_await ticks.Join();
    co_await desk.Close();
    CHECK(shared >= 2 * kRings);
  });
}

}  // namespace sluice::runtime
