// SPDX-License-Identifier: Apache-2.0
#pragma once
// The event loop of one shard: runs tasks, fires timers, carries out requests.  Implementations: io_uring, epoll with
// worker threads, simulator.  Everything is called on the thread that made the engine, except Post().

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "runtime/request.h"
#include "runtime/runnable.h"
#include "runtime/task.h"
#include "runtime/timer.h"

namespace sluice::runtime {

class Op;

class Engine : public Clock {
 public:
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  // Aborts when an operation is in flight or a task is queued.
  ~Engine() override;

  // "io_uring", "epoll" or "simulator".
  virtual std::string_view name() const noexcept = 0;
  // Why this engine and in which mode, for people: "setup flags SINGLE_ISSUER|DEFER_TASKRUN", "io_uring is refused: …".
  const std::string& reason() const noexcept { return reason_; }

  // Runs the loop until `task` has ended; gives its result or throws its exception.  Not from inside a task.
  template <typename T>
  T Run(Task<T> task) {
    End end;
    StopSource never;
    const Context context{*this, StopToken(never)};
    if (!task.Start(context, end)) RunUntil(end.reached);
    return task.TakeResult();
  }

  // Runs `work` in the next turn of the loop.
  void Schedule(Runnable& work) noexcept { ready_.PushBack(work); }
  // The same from any thread; wakes the loop.  What is posted waits in its sender's frame, so the mailbox is as large
  // as the number of its suspended senders.
  void Post(Runnable& work) noexcept;

  void Arm(Timer& timer, TimePoint due) noexcept { timers_.Arm(timer, due); }
  void Disarm(Timer& timer) noexcept { timers_.Disarm(timer); }

  // Begins `op`, which ends with exactly one Op::Complete().
  void Submit(Op& op) noexcept;
  // Asks to end `op` early.  It completes all the same, perhaps as if it had not been asked.
  void Cancel(Op& op) noexcept { RequestCancel(op); }
  // Makes a request that never blocks.
  virtual int64_t Call(const Request& request) noexcept = 0;

  // True for the simulator, which has no descriptors of the kernel and no other threads.
  virtual bool simulated() const noexcept { return false; }
  // The simulator plays the part of worker threads too: takes `work`, which is meant for one, and runs it at a moment
  // that its seed decides.  False, and nothing done, on the real engines.
  virtual bool RunInsteadOfWorker(Runnable& work) noexcept;

 protected:
  Engine() = default;
  void SetReason(std::string reason) { reason_ = std::move(reason); }

  // Starts `op`.  May complete it before it returns.
  virtual void Start(Op& op) noexcept = 0;
  virtual void RequestCancel(Op& op) noexcept = 0;
  // Hands over what was submitted and collects what has completed.  Waits for a completion or Interrupt() at most
  // `wait`; without a value: as long as it takes.
  virtual void Poll(std::optional<Duration> wait) noexcept = 0;
  // Ends a Poll() that waits; from any thread.
  virtual void Interrupt() noexcept = 0;

 private:
  friend class Op;
  struct End final : Runnable {
    void Run() noexcept override { reached = true; }
    bool reached = false;
  };

  void RunUntil(const bool& done);
  void RunReady() noexcept;
  void TakeMail() noexcept;
  void Sleep() noexcept;

  std::string reason_;
  IntrusiveList<Runnable> ready_;
  TimerHeap timers_;
  uint64_t in_flight_ = 0;
  bool running_ = false;

  std::mutex mail_mutex_;
  IntrusiveList<Runnable> mail_;  // under mail_mutex_
  bool sleeping_ = false;         // under mail_mutex_: Poll() may be waiting
};

enum class EngineKind : uint8_t { kAuto, kUring, kEpoll };

// "auto", "io_uring", "epoll"; kInvalidArgument for others.
EngineKind ParseEngineKind(std::string_view name);

// kAuto: io_uring, or epoll when the kernel, a sysctl or a seccomp filter refuses it; reason() says which.  kUring
// throws kUnsupported then.  For the calling thread.
std::unique_ptr<Engine> MakeEngine(EngineKind kind);

}  // namespace sluice::runtime
