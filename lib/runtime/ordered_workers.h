// SPDX-License-Identifier: Apache-2.0
#pragma once
// Computes on threads and hands the results back in the order in which the work was given.  For a program without
// shards, whose main thread gives the work and takes the results; tasks of a shard use Offload.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/runnable.h"
#include "runtime/workers.h"

namespace sluice::runtime {

class OrderedWorkers;

// A piece of work with its input and output.  Belongs to a worker from Push until TakeOldest gives it back.
class OrderedWork : private Runnable {
 public:
  ~OrderedWork() override = default;

 private:
  friend class OrderedWorkers;
  // `worker` in [0, threads) is nobody else's while this runs: it names what only one thread at a time may use.
  virtual void Work(size_t worker) = 0;
  void Run() noexcept final;

  OrderedWorkers* workers_ = nullptr;
  bool done_ = false;  // under OrderedWorkers::mutex_
  std::exception_ptr error_;
};

// Used by one thread.
class OrderedWorkers {
 public:
  // As Workers.
  OrderedWorkers(size_t threads, const char* name);
  // Drops work that has not begun, waits for the rest.
  ~OrderedWorkers();

  size_t threads() const noexcept { return threads_; }
  // Pieces of work that were given and not taken back: the caller bounds them.
  size_t size() const noexcept { return given_.size(); }

  void Push(std::unique_ptr<OrderedWork> work);
  // Whether TakeOldest would not wait; false when there is none.
  bool OldestIsDone() const;
  // Waits for the work that was given first (there is one) and gives it back, or rethrows what its Work threw.
  std::unique_ptr<OrderedWork> TakeOldest();

 private:
  friend class OrderedWork;

  void RunOne(OrderedWork& work) noexcept;

  const size_t threads_;
  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::vector<size_t> idle_;                        // worker numbers; under mutex_
  std::deque<std::unique_ptr<OrderedWork>> given_;  // oldest first; of the caller's thread
  Workers workers_;                                 // last: its threads end before what they use
};

}  // namespace sluice::runtime
