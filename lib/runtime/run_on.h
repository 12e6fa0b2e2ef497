// SPDX-License-Identifier: Apache-2.0
#pragma once
// Running a task on another shard: from a task with RunOn(), from a plain thread with BlockOn().

#include <condition_variable>
#include <coroutine>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/shard.h"
#include "runtime/task.h"

namespace sluice::runtime {

namespace detail {

// The result of a task that runs elsewhere.
template <typename T>
class Outcome {
 public:
  void TakeFrom(Task<T>& task) noexcept {
    try {
      if constexpr (std::is_void_v<T>) {
        task.TakeResult();
      } else {
        value_.emplace(task.TakeResult());
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }
  void Fail(std::exception_ptr error) noexcept { error_ = std::move(error); }
  T Take() {
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }

 private:
  std::exception_ptr error_;
  std::optional<std::conditional_t<std::is_void_v<T>, char, T>> value_;
};

// The part of a call that happens on the target's thread: makes the task, runs it, destroys it there.
template <typename F>
class RemoteTask {
 public:
  using Result = typename std::invoke_result_t<F&>;  // Task<T>
  using Value = decltype(std::declval<Result>().TakeResult());

  RemoteTask(Shard& target, F& function) noexcept
      : target_(target), function_(function), context_{target.engine(), StopToken(stop_)} {}

 protected:
  ~RemoteTask() = default;
  void PostStart() noexcept { target_.engine().Post(start_); }
  // The last thing that happens on the target's thread: the object may be gone when this returns.
  virtual void OnFinish() noexcept = 0;

  Shard& target_;
  StopSource stop_;  // of the target's thread
  Outcome<Value> outcome_;

 private:
  void Start() noexcept {
    try {
      task_.emplace(function_());
    } catch (...) {
      outcome_.Fail(std::current_exception());
      return OnFinish();
    }
    if (task_->Start(context_, end_)) End();
  }
  void End() noexcept {
    outcome_.TakeFrom(*task_);
    task_.reset();
    OnFinish();
  }

  F& function_;
  const Context context_;
  std::optional<Result> task_;
  Step<RemoteTask, &RemoteTask::Start> start_{*this};
  Step<RemoteTask, &RemoteTask::End> end_{*this};
};

// The caller's part of RunOn(): waits in its frame for the end of the task and for the way back of a stop request.
template <typename F>
class RemoteCall final : public RemoteTask<F>, private StopCallback {
 public:
  using RemoteTask<F>::RemoteTask;

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    const Context& context = task.promise().context();
    task_ = task;
    home_ = &context.engine;
    if (context.stop.requested()) {
      this->stop_.RequestStop();
    } else {
      context.stop.Subscribe(*this);
    }
    this->PostStart();
    return true;
  }
  typename RemoteTask<F>::Value await_resume() { return this->outcome_.Take(); }

 private:
  void OnFinish() noexcept override { home_->Post(returned_); }
  void OnStop() noexcept override {
    ++awaited_;
    this->target_.engine().Post(carry_stop_);
  }
  void CarryStop() noexcept {
    this->stop_.RequestStop();
    home_->Post(returned_stop_);
  }
  void OnReturn() noexcept {
    StopCallback::Unlink();
    if (--awaited_ == 0) task_.resume();
  }

  std::coroutine_handle<> task_;
  Engine* home_ = nullptr;
  unsigned awaited_ = 1;  // of the caller's thread: messages that have to come back
  Step<RemoteCall, &RemoteCall::CarryStop> carry_stop_{*this};
  Step<RemoteCall, &RemoteCall::OnReturn> returned_{*this};
  Step<RemoteCall, &RemoteCall::OnReturn> returned_stop_{*this};
};

template <typename F>
class BlockingCall final : public RemoteTask<F> {
 public:
  using RemoteTask<F>::RemoteTask;

  typename RemoteTask<F>::Value Run() {
    this->PostStart();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finished_; });
    return this->outcome_.Take();
  }

 private:
  void OnFinish() noexcept override {
    // Under the lock: the waiting thread destroys this object as soon as it has seen the flag.
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool finished_ = false;  // under mutex_
};

}  // namespace detail

// Calls `function` on `shard`'s thread, awaits the task that it returns there, and goes on with its result (or
// exception) on the caller's shard.  `function` stays alive until then, so it may be a lambda coroutine with captures;
// what it captures is used on the other thread.  A stop request of the caller reaches the task.  On the caller's own
// shard it is a plain call.  g++ 12: name a lambda with captures before the co_await expression and move it in.
template <typename F>
std::invoke_result_t<F&> RunOn(Shard& shard, F function) {
  if (shard.IsCurrent()) co_return co_await function();
  detail::RemoteCall<F> call(shard, function);
  co_return co_await call;
}

// The same from a thread that is no shard (main): blocks it until the task has ended.
template <typename F>
auto BlockOn(Shard& shard, F function) {
  SLUICE_CHECK(!shard.IsCurrent(), "a shard cannot block on itself");
  return detail::BlockingCall<F>(shard, function).Run();
}

}  // namespace sluice::runtime
