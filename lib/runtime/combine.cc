// SPDX-License-Identifier: Apache-2.0
#include "runtime/combine.h"

#include <chrono>
#include <coroutine>
#include <cstddef>

#include "base/error.h"

namespace sluice::runtime {

namespace {

// Starts all tasks and resumes the caller when the last one has ended.
class AllAwaiter final : private Runnable {
 public:
  explicit AllAwaiter(std::vector<Task<void>>& tasks) noexcept : tasks_(tasks) {}

  bool await_ready() const noexcept { return tasks_.empty(); }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    task_ = task;
    for (Task<void>& each : tasks_) {
      ++running_;
      if (each.Start(task.promise().context(), *this)) --running_;
    }
    // One was reckoned too many, so that the caller is not resumed before all have been started.
    return --running_ > 0;
  }
  void await_resume() const noexcept {}

 private:
  void Run() noexcept override {
    if (--running_ == 0) task_.resume();
  }

  std::vector<Task<void>>& tasks_;
  size_t running_ = 1;
  std::coroutine_handle<> task_;
};

}  // namespace

Task<void> WhenAll(std::vector<Task<void>> tasks) {
  co_await AllAwaiter(tasks);
  for (Task<void>& task : tasks) task.TakeResult();
}

namespace detail {

Deadline::Deadline(Engine& engine, Duration duration, LinkedStopSource& stop) noexcept
    : engine_(engine), duration_(duration), stop_(stop) {
  engine_.Arm(*this, engine_.Now() + duration_);
}

Deadline::~Deadline() { engine_.Disarm(*this); }

void Deadline::OnTimer() noexcept {
  passed_ = true;
  stop_.RequestStop();
}

void Deadline::RethrowCurrent() const {
  try {
    throw;
  } catch (const Error& error) {
    if (!passed_ || error.code() != Errc::kStopped) throw;
  }
  Throw(Errc::kTimeout, "not done within {} ms",
        std::chrono::duration_cast<std::chrono::milliseconds>(duration_).count());
}

}  // namespace detail

}  // namespace sluice::runtime
