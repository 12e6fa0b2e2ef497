// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tasks of one shard that wait for something another task of that shard does: the base of Event and Semaphore.

#include <coroutine>
#include <cstdint>

#include "runtime/context.h"
#include "runtime/runnable.h"
#include "runtime/stop.h"

namespace sluice::runtime {

class WaitList;

// One waiting task; lives in its frame.  `co_await Waiter(list)` suspends until it is woken and throws kStopped when a
// stop request comes first.  A waiter that was woken is woken: a later stop does not take back what it was given.
class Waiter final : public Runnable, private StopCallback {
 public:
  explicit Waiter(WaitList& list, uint64_t amount = 0) noexcept : list_(list), amount_(amount) {}

  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    task_ = task;
    return Begin(task.promise().context());
  }
  void await_resume() const;

  // What the list's owner reckons with, e.g. bytes asked for.
  uint64_t amount() const noexcept { return amount_; }

 private:
  friend class WaitList;
  bool Begin(const Context& context) noexcept;
  void Run() noexcept override { task_.resume(); }
  void OnStop() noexcept override;

  WaitList& list_;
  const uint64_t amount_;
  Engine* engine_ = nullptr;
  bool stopped_ = false;
  std::coroutine_handle<> task_;
};

// First come, first served.  As long as the number of suspended tasks.  Destroying it under waiting tasks aborts.
class WaitList {
 public:
  virtual ~WaitList() = default;
  bool empty() const noexcept { return waiters_.empty(); }
  // Who is next; null when nobody waits.
  const Waiter* front() noexcept { return static_cast<const Waiter*>(waiters_.front()); }
  // The woken tasks go on in the next turn of the loop, not inside this call.
  void WakeFirst() noexcept;
  void WakeAll() noexcept;

 protected:
  // A waiter has left because of a stop request: whoever was behind it may be served now.
  virtual void OnLeave() noexcept {}

 private:
  friend class Waiter;
  IntrusiveList<Runnable> waiters_;  // Waiters all
};

}  // namespace sluice::runtime
