// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request in flight.  Lives in the frame of the task that awaits it, from the submission to the completion.

#include <coroutine>
#include <cstdint>

#include "runtime/context.h"
#include "runtime/request.h"
#include "runtime/runnable.h"
#include "runtime/stop.h"

namespace sluice::runtime {

// `int64_t result = co_await Op(engine, request);` gives what the system call would give: >= 0 or a negative errno.
// A stop request cancels the operation: it ends with -ECANCELED when the system gives it up, else as if nothing had
// been asked.  In either case it has ended when the task goes on: memory and descriptors of the request are free again.
class Op final : public Runnable, private StopCallback {
 public:
  // kHonoured: not even begun when the task is already asked to stop.
  enum class Stop : uint8_t { kHonoured, kIgnored };

  Op(Engine& engine, const Request& request, Stop stop = Stop::kHonoured) noexcept
      : engine_(engine), request_(request), stop_(stop) {}
  ~Op() override;

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    task_ = task;
    return Begin(task.promise().context());
  }
  int64_t await_resume() const noexcept { return result_; }

  // The engine's side.

  const Request& request() const noexcept { return request_; }
  // Once per submitted operation, on the engine's thread; the task goes on in a later turn of the loop.
  void Complete(int64_t result) noexcept;
  // Marks the operation as one for a worker thread, where Run() makes the blocking call and posts it back.
  void MoveToWorker() noexcept { stage_ = Stage::kOnWorker; }

 private:
  enum class Stage : uint8_t { kIdle, kInFlight, kOnWorker, kReturning, kCompleted };

  bool Begin(const Context& context) noexcept;
  void Run() noexcept override;
  void OnStop() noexcept override;

  Engine& engine_;
  const Request request_;
  const Stop stop_;
  Stage stage_ = Stage::kIdle;
  int64_t result_ = 0;
  std::coroutine_handle<> task_;
};

}  // namespace sluice::runtime
