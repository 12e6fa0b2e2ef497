// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "runtime/epoll_engine.h"
#include "runtime/op.h"
#include "runtime/uring_engine.h"

namespace sluice::runtime {
namespace {

// So often what is ready runs before the loop looks for completions and mail.
constexpr int kTurns = 4;

}  // namespace

Engine::~Engine() {
  SLUICE_CHECK(in_flight_ == 0, "an engine is destroyed while operations are in flight");
  SLUICE_CHECK(ready_.empty(), "an engine is destroyed while tasks are ready to run");
  const std::lock_guard lock(mail_mutex_);
  SLUICE_CHECK(mail_.empty(), "an engine is destroyed while mail waits for it");
}

void Engine::Post(Runnable& work) noexcept { WakeLoop(&work); }

// As soon as the loop has taken `mail`, the engine may come to its end: only interrupting_ holds it up.
void Engine::WakeLoop(Runnable* mail) noexcept {
  {
    const std::lock_guard lock(mail_mutex_);
    if (mail != nullptr) mail_.PushBack(*mail);
    if (!std::exchange(sleeping_, false)) return;  // one interruption is enough
    ++interrupting_;
  }
  // Without the lock, which the loop takes first when it wakes.
  Interrupt();
  --interrupting_;
}

bool Engine::RunInsteadOfWorker(Runnable&) noexcept { return false; }

void Engine::Submit(Op& op) noexcept {
  ++in_flight_;
  Start(op);
}

void Engine::RunUntil(const bool& done) {
  SLUICE_CHECK(done_ == nullptr, "an engine is run from inside one of its tasks");
  done_ = &done;
  current_ = std::this_thread::get_id();
  while (!done) {
    TakeMail();
    if (timers_.NextDue()) timers_.FireDue(Now());
    RunTurns();
    if (done) break;
    if (ready_.empty()) {
      Sleep();
    } else {
      Poll(Duration::zero());
    }
  }
  while (interrupting_ > 0) std::this_thread::yield();
  current_ = std::thread::id();
  done_ = nullptr;
}

void Engine::RunTurns() noexcept {
  for (int turn = 0; turn < kTurns && !ready_.empty() && !*done_; ++turn) RunReady();
}

// What becomes ready meanwhile waits for the next turn.
void Engine::RunReady() noexcept {
  IntrusiveList<Runnable> turn;
  turn.TakeAll(ready_);
  while (Runnable* work = turn.PopFront()) work->Run();
}

void Engine::TakeMail() noexcept {
  const std::lock_guard lock(mail_mutex_);
  ready_.TakeAll(mail_);
}

void Engine::Sleep() noexcept {
  std::optional<Duration> wait;
  const std::optional<TimePoint> due = timers_.NextDue();
  if (due) wait = std::max(*due - Now(), Duration::zero());
  asleep_until_ = due.value_or(TimePoint::max());
  {
    const std::lock_guard lock(mail_mutex_);
    if (!mail_.empty()) wait = Duration::zero();
    sleeping_ = true;
  }
  Poll(wait);
  const std::lock_guard lock(mail_mutex_);
  sleeping_ = false;
}

Engine::Away::Away(Engine& engine) noexcept : engine_(engine) {
  if (!engine_.shared_) return;
  engine_.current_ = std::thread::id();
  engine_.turn_.unlock();
}

Engine::Away::~Away() {
  if (!engine_.shared_) return;
  engine_.turn_.lock();
  engine_.current_ = std::this_thread::get_id();
}

void Engine::Share() noexcept {
  SLUICE_CHECK(!shared_ && IsAtHome(), "an engine is shared once, by its own thread");
  turn_.lock();
  shared_ = true;
}

void Engine::Unshare() noexcept {
  SLUICE_CHECK(shared_ && IsAtHome(), "an engine is no longer shared, says its own thread");
  shared_ = false;
  turn_.unlock();
}

OffloadedCall* Engine::RunInTurn(Runnable& work, bool keep) noexcept {
  OffloadedCall* kept = nullptr;
  bool wake = false;
  {
    const std::lock_guard lock(turn_);
    current_ = std::this_thread::get_id();
    if (keep) kept_ = &kept;
    work.Run();
    RunTurns();
    kept_ = nullptr;
    current_ = std::thread::id();
    wake = LoopHasWork();
  }
  if (wake) WakeLoop(nullptr);
  return kept;
}

bool Engine::Keep(OffloadedCall& call) noexcept {
  if (kept_ == nullptr || *kept_ != nullptr) return false;
  *kept_ = &call;
  return true;
}

bool Engine::LoopHasWork() const noexcept {
  const std::optional<TimePoint> due = timers_.NextDue();
  return !ready_.empty() || *done_ || HasToPoll() || (due && *due < asleep_until_);
}

EngineKind ParseEngineKind(std::string_view name) {
  if (name == "auto") return EngineKind::kAuto;
  if (name == "io_uring") return EngineKind::kUring;
  if (name == "epoll") return EngineKind::kEpoll;
  Throw(Errc::kInvalidArgument, "engine '{}' is none of auto, io_uring, epoll", name);
}

std::unique_ptr<Engine> MakeEngine(EngineKind kind) {
  switch (kind) {
    case EngineKind::kUring: return MakeUringEngine();
    case EngineKind::kEpoll: return MakeEpollEngine("asked for");
    case EngineKind::kAuto: break;
  }
  try {
    return MakeUringEngine();
  } catch (const Error& error) {
    if (error.code() != Errc::kUnsupported) throw;
    return MakeEpollEngine(error.message());
  }
}

}  // namespace sluice::runtime
