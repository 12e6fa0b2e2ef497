// SPDX-License-Identifier: Apache-2.0
#pragma once
// A budget that tasks of one shard share, first come, first served: a large request is not overtaken by small ones.

#include <cstdint>

#include "runtime/task.h"
#include "runtime/wait_list.h"

namespace sluice::runtime {

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
  friend class Semaphore;
  Permit(Semaphore& semaphore, uint64_t amount) noexcept : semaphore_(&semaphore), amount_(amount) {}
  Semaphore* semaphore_ = nullptr;
  uint64_t amount_ = 0;
};

class Semaphore final : private WaitList {
 public:
  explicit Semaphore(uint64_t budget) noexcept : budget_(budget), free_(budget) {}
  ~Semaphore() override;

  // Waits until `amount` is free.  An amount above the whole budget waits for all of it.
  Task<Permit> Acquire(uint64_t amount);
  uint64_t budget() const noexcept { return budget_; }
  uint64_t free() const noexcept { return free_; }

 private:
  friend class Permit;
  void Release(uint64_t amount) noexcept;
  void Serve() noexcept;
  void OnLeave() noexcept override { Serve(); }

  const uint64_t budget_;
  uint64_t free_;
};

}  // namespace sluice::runtime
