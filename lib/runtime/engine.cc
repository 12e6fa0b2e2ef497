// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "runtime/epoll_engine.h"
#include "runtime/op.h"
#include "runtime/uring_engine.h"

namespace sluice::runtime {

Engine::~Engine() {
  SLUICE_CHECK(in_flight_ == 0, "an engine is destroyed while operations are in flight");
  SLUICE_CHECK(ready_.empty(), "an engine is destroyed while tasks are ready to run");
  const std::lock_guard lock(mail_mutex_);
  SLUICE_CHECK(mail_.empty(), "an engine is destroyed while mail waits for it");
}

void Engine::Post(Runnable& work) noexcept {
  // Interrupt() under the lock: as soon as the loop has taken `work`, the engine may come to its end.
  const std::lock_guard lock(mail_mutex_);
  mail_.PushBack(work);
  if (sleeping_) Interrupt();
  sleeping_ = false;  // one interruption is enough
}

bool Engine::RunInsteadOfWorker(Runnable&) noexcept { return false; }

void Engine::Submit(Op& op) noexcept {
  ++in_flight_;
  Start(op);
}

void Engine::RunUntil(const bool& done) {
  SLUICE_CHECK(!running_, "an engine is run from inside one of its tasks");
  running_ = true;
  while (!done) {
    TakeMail();
    if (timers_.NextDue()) timers_.FireDue(Now());
    RunReady();
    if (done) break;
    if (ready_.empty()) {
      Sleep();
    } else {
      Poll(Duration::zero());
    }
  }
  running_ = false;
}

// What becomes ready meanwhile waits for the next turn, so that completions and mail are seen in between.
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
  if (const std::optional<TimePoint> due = timers_.NextDue()) wait = std::max(*due - Now(), Duration::zero());
  {
    const std::lock_guard lock(mail_mutex_);
    if (!mail_.empty()) wait = Duration::zero();
    sleeping_ = true;
  }
  Poll(wait);
  const std::lock_guard lock(mail_mutex_);
  sleeping_ = false;
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
