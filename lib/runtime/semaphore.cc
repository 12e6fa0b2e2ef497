// SPDX-License-Identifier: Apache-2.0
#include "runtime/semaphore.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sluice::runtime {

Permit::Permit(Permit&& other) noexcept
    : semaphore_(std::exchange(other.semaphore_, nullptr)), amount_(std::exchange(other.amount_, 0)) {}

Permit& Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    Release();
    semaphore_ = std::exchange(other.semaphore_, nullptr);
    amount_ = std::exchange(other.amount_, 0);
  }
  return *this;
}

void Permit::Release() noexcept {
  if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->Release(std::exchange(amount_, 0));
}

Semaphore::~Semaphore() { SLUICE_CHECK(free_ == budget_, "a semaphore is destroyed before its permits"); }

Acquisition Semaphore::Acquire(uint64_t amount) noexcept { return Acquisition(*this, std::min(amount, budget_)); }

bool Semaphore::TryTake(uint64_t amount) noexcept {
  if (!empty() || amount > free_) return false;
  free_ -= amount;
  return true;
}

void Semaphore::Release(uint64_t amount) noexcept {
  free_ += amount;
  Serve();
}

void Semaphore::Serve() noexcept {
  while (!empty() && front()->amount() <= free_) {
    free_ -= front()->amount();
    WakeFirst();
  }
}

}  // namespace sluice::runtime
