// SPDX-License-Identifier: Apache-2.0
#include "runtime/timer.h"

#include <coroutine>
#include <utility>

#include "base/check.h"
#include "runtime/engine.h"

namespace sluice::runtime {

namespace {

// Suspends until its timer fires or a stop request comes; lives in the frame of Sleep().
class Sleeper final : private Timer, private Runnable, private StopCallback {
 public:
  Sleeper(Engine& engine, Duration duration) noexcept : engine_(engine), duration_(duration) {}

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    task_ = task;
    stop_ = task.promise().context().stop;
    if (stop_->requested()) return false;
    stop_->Subscribe(*this);
    engine_.Arm(*this, engine_.Now() + duration_);
    return true;
  }
  void await_resume() const {
    if (!fired_) stop_->ThrowIfRequested();
  }

 private:
  void OnTimer() noexcept override {
    fired_ = true;
    StopCallback::Unlink();
    engine_.Schedule(*this);
  }
  void OnStop() noexcept override {
    engine_.Disarm(*this);
    engine_.Schedule(*this);
  }
  void Run() noexcept override { task_.resume(); }

  Engine& engine_;
  const Duration duration_;
  std::optional<StopToken> stop_;
  bool fired_ = false;
  std::coroutine_handle<> task_;
};

}  // namespace

Timer::~Timer() { SLUICE_CHECK(!armed(), "an armed timer is destroyed"); }

TimerHeap::~TimerHeap() { SLUICE_CHECK(heap_.empty(), "an engine is destroyed while timers are armed"); }

void TimerHeap::Arm(Timer& timer, TimePoint due) noexcept {
  SLUICE_CHECK(!timer.armed(), "a timer is armed twice");
  timer.due_ = due;
  heap_.push_back(&timer);
  SiftUp(&timer, heap_.size() - 1);
}

void TimerHeap::Disarm(Timer& timer) noexcept {
  if (!timer.armed()) return;
  const size_t at = std::exchange(timer.place_, Timer::kNone);
  Timer* const last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  // The last one fills the gap and then moves to where it belongs.
  if (at > 0 && last->due_ < heap_[(at - 1) / 2]->due_) {
    SiftUp(last, at);
  } else {
    SiftDown(last, at);
  }
}

std::optional<TimePoint> TimerHeap::NextDue() const noexcept {
  if (heap_.empty()) return std::nullopt;
  return heap_.front()->due_;
}

void TimerHeap::FireDue(TimePoint now) noexcept {
  for (size_t most = heap_.size(); most > 0 && !heap_.empty() && heap_.front()->due_ <= now; --most) {
    Timer& timer = *heap_.front();
    Disarm(timer);
    timer.OnTimer();
  }
}

void TimerHeap::Place(Timer* timer, size_t at) noexcept {
  heap_[at] = timer;
  timer->place_ = at;
}

void TimerHeap::SiftUp(Timer* timer, size_t at) noexcept {
  while (at > 0) {
    const size_t parent = (at - 1) / 2;
    if (heap_[parent]->due_ <= timer->due_) break;
    Place(heap_[parent], at);
    at = parent;
  }
  Place(timer, at);
}

void TimerHeap::SiftDown(Timer* timer, size_t at) noexcept {
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->due_ < heap_[child]->due_) ++child;
    if (timer->due_ <= heap_[child]->due_) break;
    Place(heap_[child], at);
    at = child;
  }
  Place(timer, at);
}

Task<void> Sleep(Engine& engine, Duration duration) { co_await Sleeper(engine, duration); }

}  // namespace sluice::runtime
