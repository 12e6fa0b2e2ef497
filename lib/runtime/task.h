// SPDX-License-Identifier: Apache-2.0
#pragma once
// The coroutine type of the project: lazy, awaited once, on one shard from its start to its end.

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "runtime/context.h"
#include "runtime/runnable.h"

namespace sluice::runtime {

template <typename T>
class Task;

namespace detail {

// What all promises share: where the task is in its life, its context, and who is told of its end.
class PromiseBase {
 public:
  std::suspend_always initial_suspend() const noexcept { return {}; }

  class FinalAwaiter {
   public:
    FinalAwaiter() noexcept {}
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> task) const noexcept {
      PromiseBase& promise = task.promise();
      promise.stage_ = Stage::kEnded;
      // Whoever is told may destroy this frame: nothing of it is touched after this call.
      if (promise.on_end_ != nullptr) promise.on_end_->Run();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  const Context& context() const noexcept { return *context_; }

 protected:
  void RethrowError() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  template <typename T>
  friend class runtime::Task;
  enum class Stage : unsigned char { kNotStarted, kRunning, kEnded };

  const Context* context_ = nullptr;
  Runnable* on_end_ = nullptr;
  std::exception_ptr error_;
  Stage stage_ = Stage::kNotStarted;
};

template <typename T>
class Promise final : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <typename U>
  requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
  T TakeResult() {
    RethrowError();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void TakeResult() const { RethrowError(); }
};

template <typename T>
class TaskAwaiter;

}  // namespace detail

// A started task runs to its end: destroying one that runs aborts, in every build.  To end it early, request the stop
// of its context and await it.  Destroying a task that was never started destroys its arguments, nothing else happens.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~Task() { Destroy(); }

  // `T value = co_await F();` or `co_await std::move(task);`: starts the task in the context of the awaiting one and
  // gives its result or throws its exception.  A task that ends without suspending does not suspend the awaiting one
  // either.
  detail::TaskAwaiter<T> operator co_await() && noexcept;

  // The three calls that combinators and roots are made of.

  // Runs the task up to its first suspension.  True: it has ended.  False: `on_end` is run when it ends, on this
  // thread, and may destroy the task.  `context` outlives the run.
  bool Start(const Context& context, Runnable& on_end) noexcept {
    promise_type& promise = frame_.promise();
    SLUICE_CHECK(promise.stage_ == Stage::kNotStarted, "a task is started twice");
    promise.stage_ = Stage::kRunning;
    promise.context_ = &context;
    frame_.resume();
    // No symmetric transfer: g++ 12 makes real calls of it at -O0 and with ASan, and a loop of awaits eats the stack.
    if (promise.stage_ == Stage::kEnded) return true;
    promise.on_end_ = &on_end;
    return false;
  }
  bool ended() const noexcept { return frame_.promise().stage_ == Stage::kEnded; }
  // The result of an ended task; throws its exception.  Once.
  T TakeResult() {
    SLUICE_CHECK(ended(), "the result of a task is taken before its end");
    return frame_.promise().TakeResult();
  }

 private:
  friend promise_type;
  using Stage = detail::PromiseBase::Stage;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  void Destroy() noexcept {
    if (!frame_) return;
    SLUICE_CHECK(frame_.promise().stage_ != Stage::kRunning, "a running task is destroyed");
    frame_.destroy();
  }

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

// Lives in the frame of the awaiting task.
template <typename T>
class TaskAwaiter final : private Runnable {
 public:
  // `context` null: that of the awaiting task.
  explicit TaskAwaiter(Task<T>& task, const Context* context = nullptr) noexcept : task_(task), context_(context) {}

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> parent) noexcept {
    parent_ = parent;
    return !task_.Start(context_ != nullptr ? *context_ : parent.promise().context(), *this);
  }
  T await_resume() { return task_.TakeResult(); }

 private:
  void Run() noexcept override { parent_.resume(); }

  Task<T>& task_;
  const Context* context_;
  std::coroutine_handle<> parent_;
};

template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace detail

template <typename T>
detail::TaskAwaiter<T> Task<T>::operator co_await() && noexcept {
  return detail::TaskAwaiter<T>(*this);
}

// Awaits `task` in another context than the caller's: `co_await InContext(task, context)`.  Both outlive the await.
template <typename T>
detail::TaskAwaiter<T> InContext(Task<T>& task, const Context& context) noexcept {
  return detail::TaskAwaiter<T>(task, &context);
}

}  // namespace sluice::runtime
