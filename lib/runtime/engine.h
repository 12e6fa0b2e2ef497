// SPDX-License-Identifier: Apache-2.0
#pragma once
// The event loop of one shard: runs tasks, fires timers, carries out requests.  Implementations: io_uring, epoll with
// worker threads, simulator.  Everything is called from its tasks or on the thread that made the engine, except Post().

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "runtime/request.h"
#include "runtime/runnable.h"
#include "runtime/task.h"
#include "runtime/timer.h"

namespace sluice::runtime {

class OffloadedCall;
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

  // On the thread that runs this engine's tasks now.
  bool IsCurrent() const noexcept { return current_ == std::this_thread::get_id(); }

  // For Helpers, threads that run tasks in the loop's place while it waits.  From Share() to Unshare(), both called on
  // the loop's thread, whoever runs tasks holds the turn.
  void Share() noexcept;
  void Unshare() noexcept;
  // On a helper's thread, when it has the turn: runs `work` and what becomes ready of it.  With `keep`, the first call
  // that these tasks give to an Offload for helpers is left to this thread: it makes the call, then runs it here again.
  // Null: there is none.
  OffloadedCall* RunInTurn(Runnable& work, bool keep) noexcept;
  // False: nobody keeps it.
  bool Keep(OffloadedCall& call) noexcept;

  // True for the simulator, which has no descriptors of the kernel and no other threads.
  virtual bool simulated() const noexcept { return false; }
  // The simulator plays the part of worker threads too: takes `work`, which is meant for one, and runs it at a moment
  // that its seed decides.  False, and nothing done, on the real engines.
  virtual bool RunInsteadOfWorker(Runnable& work) noexcept;

 protected:
  // The loop's thread waits inside Poll() and leaves the turn to others, if there are others.
  class Away {
   public:
    explicit Away(Engine& engine) noexcept;
    ~Away();
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;

   private:
    Engine& engine_;
  };

  Engine() = default;
  bool shared() const noexcept { return shared_; }
  // On the thread that made the engine.
  bool IsAtHome() const noexcept { return std::this_thread::get_id() == home_; }
  void SetReason(std::string reason) { reason_ = std::move(reason); }

  // Starts `op`.  May complete it before it returns.
  virtual void Start(Op& op) noexcept = 0;
  virtual void RequestCancel(Op& op) noexcept = 0;
  // Hands over what was submitted and collects what has completed.  Waits for a completion or Interrupt() at most
  // `wait`, Away; without a value: as long as it takes.
  virtual void Poll(std::optional<Duration> wait) noexcept = 0;
  // Ends a Poll() that waits; from any thread.
  virtual void Interrupt() noexcept = 0;
  // Something was started in a helper's turn that only Poll() can hand over.
  virtual bool HasToPoll() const noexcept { return false; }

 private:
  friend class Op;
  struct End final : Runnable {
    void Run() noexcept override { reached = true; }
    bool reached = false;
  };

  void RunUntil(const bool& done);
  void RunReady() noexcept;
  void RunTurns() noexcept;
  void TakeMail() noexcept;
  void Sleep() noexcept;
  bool LoopHasWork() const noexcept;
  void WakeLoop(Runnable* mail) noexcept;

  std::string reason_;
  IntrusiveList<Runnable> ready_;
  TimerHeap timers_;
  uint64_t in_flight_ = 0;
  const bool* done_ = nullptr;  // what ends the loop that runs
  const std::thread::id home_ = std::this_thread::get_id();
  std::atomic<std::thread::id> current_;

  std::mutex turn_;
  bool shared_ = false;
  OffloadedCall** kept_ = nullptr;  // where a helper keeps a call
  TimePoint asleep_until_ = TimePoint::max();

  std::mutex mail_mutex_;
  IntrusiveList<Runnable> mail_;            // under mail_mutex_
  bool sleeping_ = false;                   // under mail_mutex_: Poll() may be waiting
  std::atomic<uint32_t> interrupting_ = 0;  // calls of Interrupt() that run
};

enum class EngineKind : uint8_t { kAuto, kUring, kEpoll };

// "auto", "io_uring", "epoll"; kInvalidArgument for others.
EngineKind ParseEngineKind(std::string_view name);

// kAuto: io_uring, or epoll when the kernel, a sysctl or a seccomp filter refuses it; reason() says which.  kUring
// throws kUnsupported then.  For the calling thread.
std::unique_ptr<Engine> MakeEngine(EngineKind kind);

}  // namespace sluice::runtime
