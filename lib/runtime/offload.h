// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plain computation on CPU threads, awaited from a shard.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/engine.h"
#include "runtime/task.h"
#include "runtime/workers.h"

namespace sluice::runtime {

// A call that goes from a shard to another thread and back: runs once more on the shard after it was made.
class OffloadedCall : public Runnable {
 public:
  virtual void Make() noexcept = 0;
};

// Whether a helper of the shard (helpers.h) that has a call to offload may make it itself.
enum class ByHelpers : unsigned char { kNo, kYes };

// Shared by all shards; thread-safe.  Outlives the tasks that use it.
class Offload {
 public:
  explicit Offload(size_t threads, ByHelpers by_helpers = ByHelpers::kNo)
      : by_helpers_(by_helpers), workers_(threads, "sluice-cpu") {}

  // Runs `function`, which does not touch the shard's state, on a worker thread and gives its result or throws its
  // exception.  What waits for a thread waits in its caller's frame: the queue is as long as the number of callers.  A
  // stop request ends a call that has not begun with kStopped; one that has begun is awaited. g++ 12: name a lambda
  // with captures before the co_await expression and move it in (docs: CONTRIBUTING).
  template <typename F>
  Task<std::invoke_result_t<F&>> Run(Engine& engine, F function, Lane lane = Lane::kDemand);

 private:
  class Job;
  template <typename F>
  class JobOf;
  const ByHelpers by_helpers_;
  Workers workers_;
};

// One call: goes from the shard to a worker and back.  Lives in the frame of Run().
class Offload::Job : public OffloadedCall, private StopCallback {
 public:
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    task_ = task;
    return Begin(task.promise().context());
  }

 protected:
  Job(Offload& offload, Engine& engine, Lane lane) noexcept : offload_(offload), engine_(engine), lane_(lane) {}
  virtual void Work() noexcept = 0;
  // Throws kStopped when the call was not made.
  void ThrowUnlessWorked() const;

 private:
  enum class Stage : unsigned char { kQueued, kWorked, kDropped };
  bool Begin(const Context& context) noexcept;
  void Make() noexcept final;
  void Run() noexcept final;
  void OnStop() noexcept override;

  Offload& offload_;
  Engine& engine_;
  const Lane lane_;
  Stage stage_ = Stage::kQueued;
  std::coroutine_handle<> task_;
};

template <typename F>
class Offload::JobOf final : public Job {
 public:
  using Result = std::invoke_result_t<F&>;

  JobOf(Offload& offload, Engine& engine, Lane lane, F& function) noexcept
      : Job(offload, engine, lane), function_(function) {}
  Result await_resume() {
    ThrowUnlessWorked();
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<Result>) return std::move(*result_);
  }

 private:
  void Work() noexcept override {
    try {
      if constexpr (std::is_void_v<Result>) {
        function_();
      } else {
        result_.emplace(function_());
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  F& function_;
  std::exception_ptr error_;
  std::optional<std::conditional_t<std::is_void_v<Result>, char, Result>> result_;
};

template <typename F>
Task<std::invoke_result_t<F&>> Offload::Run(Engine& engine, F function, Lane lane) {
  JobOf<F> job(*this, engine, lane, function);
  co_return co_await job;
}

}  // namespace sluice::runtime
