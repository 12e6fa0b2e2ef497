// SPDX-License-Identifier: Apache-2.0
#include "runtime/workers.h"

#include <pthread.h>  // for pthread_setname_np

#include <system_error>

#include "base/check.h"
#include "base/error.h"

namespace sluice::runtime {

Workers::Workers(size_t threads, const char* name) {
  SLUICE_CHECK(threads > 0, "a set of workers without threads");
  workers_.reserve(threads);
  idle_.reserve(threads);
  try {
    for (size_t i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<Worker>());
      Worker& worker = *workers_.back();
      worker.thread = std::thread([this, &worker, name] { ThreadMain(worker, name); });
    }
  } catch (const std::system_error& error) {
    Close();
    Throw(Errc::kLimit, "worker thread {} of {}: {}", workers_.size(), threads, error.what());
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
    for (Worker* const worker : idle_) sem_post(&worker->woken);
    idle_.clear();
  }
  for (const auto& worker : workers_)
    if (worker->thread.joinable()) worker->thread.join();
}

// Work goes straight to a thread that sleeps: woken, it needs neither the lock nor the queue.
void Workers::Push(Runnable& work, Lane lane) noexcept {
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return (lane == Lane::kDemand ? demand_ : background_).PushBack(work);
    worker = idle_.back();
    idle_.pop_back();
    worker->given = &work;
  }
  sem_post(&worker->woken);
}

bool Workers::Remove(const Runnable& work) noexcept {
  const std::lock_guard lock(mutex_);
  return demand_.Remove(work) || background_.Remove(work);
}

void Workers::ThreadMain(Worker& worker, const char* name) noexcept {
  pthread_setname_np(pthread_self(), name);
  while (Runnable* work = Next(worker)) work->Run();
}

// Null: no more work is to come.
Runnable* Workers::Next(Worker& worker) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (Runnable* work = demand_.PopFront()) return work;
    if (Runnable* work = background_.PopFront()) return work;
    if (closing_) return nullptr;
    worker.given = nullptr;
    idle_.push_back(&worker);
  }
  while (sem_wait(&worker.woken) != 0) continue;  // EINTR
  return worker.given;
}

}  // namespace sluice::runtime
