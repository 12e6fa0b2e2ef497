// SPDX-License-Identifier: Apache-2.0
#include "runtime/workers.h"

#include <pthread.h>  // for pthread_setname_np

#include <system_error>

#include "base/check.h"
#include "base/error.h"

namespace sluice::runtime {

Workers::Workers(size_t threads, const char* name) {
  SLUICE_CHECK(threads > 0, "a set of workers without threads");
  threads_.reserve(threads);
  try {
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this, name] { ThreadMain(name); });
  } catch (const std::system_error& error) {
    Close();
    Throw(Errc::kLimit, "worker thread {} of {}: {}", threads_.size() + 1, threads, error.what());
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    SLUICE_CHECK(demand_.empty() && background_.empty(), "workers are destroyed while work waits for them");
  }
  Close();
}

void Workers::Close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::Push(Runnable& work, Lane lane) noexcept {
  {
    const std::lock_guard lock(mutex_);
    (lane == Lane::kDemand ? demand_ : background_).PushBack(work);
  }
  changed_.notify_one();
}

bool Workers::Remove(const Runnable& work) noexcept {
  const std::lock_guard lock(mutex_);
  return demand_.Remove(work) || background_.Remove(work);
}

void Workers::ThreadMain(const char* name) noexcept {
  pthread_setname_np(pthread_self(), name);
  while (Runnable* work = Next()) work->Run();
}

// Null: no more work is to come.
Runnable* Workers::Next() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (Runnable* work = demand_.PopFront()) return work;
    if (Runnable* work = background_.PopFront()) return work;
    if (closing_) return nullptr;
    changed_.wait(lock);
  }
}

}  // namespace sluice::runtime
