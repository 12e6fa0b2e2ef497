// SPDX-License-Identifier: Apache-2.0
#pragma once
// A fixed number of threads that run what would block or burden an event loop.

#include <semaphore.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/runnable.h"

namespace sluice::runtime {

// Work that a reader waits for goes before work done ahead of time.
enum class Lane : unsigned char { kDemand, kBackground };

// Thread-safe.  The queue is made of the waiting work itself, which lives in the frames of suspended tasks: it is as
// long as the number of tasks that wait, and adding to it cannot fail.
class Workers {
 public:
  // Starts `threads` (>= 1) threads; `name`, at most 15 characters, is what ps shows.  Throws kLimit when the system
  // has no more of them.
  Workers(size_t threads, const char* name);
  // The queue is empty by then, or it aborts; waits for the threads to end.
  ~Workers();

  // Runs `work` on one of the threads, demand first, each lane in order.
  void Push(Runnable& work, Lane lane = Lane::kDemand) noexcept;
  // True: `work` was still waiting and will not be run.  Looks through the queue.
  bool Remove(const Runnable& work) noexcept;

 private:
  // A thread, and where it waits for work.
  struct Worker {
    Worker() noexcept { sem_init(&woken, 0, 0); }
    ~Worker() { sem_destroy(&woken); }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    sem_t woken;
    Runnable* given = nullptr;  // what it was woken for; null: it is to end
    std::thread thread;
  };

  void ThreadMain(Worker& worker, const char* name) noexcept;
  void Close() noexcept;
  Runnable* Next(Worker& worker) noexcept;

  std::mutex mutex_;
  IntrusiveList<Runnable> demand_;      // under mutex_
  IntrusiveList<Runnable> background_;  // under mutex_
  std::vector<Worker*> idle_;           // under mutex_; the last one has slept for the shortest time
  bool closing_ = false;                // under mutex_
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sluice::runtime
