// SPDX-License-Identifier: Apache-2.0
#pragma once
// A budget that tasks of one shard share, first come, first served: a large request is not overtaken by small ones.

#include <cstdint>

#include <coroutine>

#include "runtime/wait_list.h"

namespace sluice::runtime {

class Acquisition;
class Semaphore;

// A share of the budget; gives it back at destruction.  The semaphore outlives it.
class Permit {
 public:
  Permit() noexcept = default;
  Permit(Permit&& other) noexcept;
  Permit& operator=(Permit&& other) noexcept;
  ~Permit() { Release(); }
  uint64_t amount() const noexcept { return amount_; }
  void Release() noexcept;

 private:
  friend class Acquisition;
  Permit(Semaphore& semaphore, uint64_t amount) noexcept : semaphore_(&semaphore), amount_(amount) {}
  Semaphore* semaphore_ = nullptr;
  uint64_t amount_ = 0;
};

class Semaphore final : private WaitList {
 public:
  explicit Semaphore(uint64_t budget) noexcept : budget_(budget), free_(budget) {}
  ~Semaphore() override;

  // `co_await semaphore.Acquire(amount)` waits until `amount` is free and gives a Permit; throws kStopped.  An amount
  // above the whole budget waits for all of it.
  Acquisition Acquire(uint64_t amount) noexcept;
  uint64_t budget() const noexcept { return budget_; }
  uint64_t free() const noexcept { return free_; }

 private:
  friend class Acquisition;
  friend class Permit;
  bool TryTake(uint64_t amount) noexcept;
  void Release(uint64_t amount) noexcept;
  void Serve() noexcept;
  void OnLeave() noexcept override { Serve(); }

  const uint64_t budget_;
  uint64_t free_;
};

// What is awaited; costs no frame of its own where there is no need to wait.
class Acquisition {
 public:
  Acquisition(Semaphore& semaphore, uint64_t amount) noexcept : semaphore_(semaphore), waiter_(semaphore, amount) {}

  bool await_ready() noexcept {
    at_once_ = semaphore_.TryTake(waiter_.amount());
    return at_once_;
  }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    return waiter_.await_suspend(task);
  }
  Permit await_resume() {
    if (!at_once_) waiter_.await_resume();  // Serve() has taken the amount for us
    return Permit(semaphore_, waiter_.amount());
  }

 private:
  Semaphore& semaphore_;
  Waiter waiter_;
  bool at_once_ = false;
};

}  // namespace sluice::runtime
