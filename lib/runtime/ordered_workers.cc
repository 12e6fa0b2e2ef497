// SPDX-License-Identifier: Apache-2.0
#include "runtime/ordered_workers.h"

#include <utility>

#include "base/check.h"

namespace sluice::runtime {

void OrderedWork::Run() noexcept { workers_->RunOne(*this); }

OrderedWorkers::OrderedWorkers(size_t threads, const char* name) : threads_(threads), workers_(threads, name) {
  for (size_t worker = 0; worker < threads; ++worker) idle_.push_back(worker);
}

OrderedWorkers::~OrderedWorkers() {
  for (const std::unique_ptr<OrderedWork>& work : given_) {
    if (workers_.Remove(*work)) continue;
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return work->done_; });
  }
}

void OrderedWorkers::Push(std::unique_ptr<OrderedWork> work) {
  work->workers_ = this;
  work->done_ = false;
  given_.push_back(std::move(work));
  workers_.Push(*given_.back());
}

bool OrderedWorkers::OldestIsDone() const {
  const std::lock_guard lock(mutex_);
  return !given_.empty() && given_.front()->done_;
}

std::unique_ptr<OrderedWork> OrderedWorkers::TakeOldest() {
  SLUICE_CHECK(!given_.empty(), "there is work to take");
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return given_.front()->done_; });
  }
  std::unique_ptr<OrderedWork> work = std::move(given_.front());
  given_.pop_front();
  if (work->error_) std::rethrow_exception(work->error_);
  return work;
}

void OrderedWorkers::RunOne(OrderedWork& work) noexcept {
  std::unique_lock lock(mutex_);
  const size_t worker = idle_.back();  // there are as many as threads
  idle_.pop_back();
  lock.unlock();
  try {
    work.Work(worker);
  } catch (...) {
    work.error_ = std::current_exception();
  }
  lock.lock();
  idle_.push_back(worker);
  work.done_ = true;
  done_.notify_all();  // under the lock: the work may be gone once it is released
}

}  // namespace sluice::runtime
