// SPDX-License-Identifier: Apache-2.0
#pragma once
// Threads beside a shard's own that wait for one descriptor and do what it asks for from the beginning to the end: they
// run the shard's tasks while its loop waits, and make the calls themselves that these offload.  An answer that needs
// nothing else changes no thread.

#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "runtime/engine.h"
#include "runtime/event.h"

namespace sluice::runtime {

// Made, used and destroyed by tasks of one shard, of which they are the only ones.
class Helpers {
 public:
  // `fd`: for epoll(7), outlives them.  `on_readable`: run on one of the `threads` (>= 1) when there is something to
  // read, after Rearm() and once for each call of it.  `name`: at most 15 characters.  Throws kLimit when the
  // system has no thread at all.
  Helpers(Engine& engine, int fd, size_t threads, const char* name, Runnable& on_readable);
  // After Stop().
  ~Helpers();

  void Rearm() noexcept;
  // Ends when all threads have: a call that one of them makes is awaited.  On the loop's thread from then on.
  Task<void> Stop();

 private:
  struct Helper {
    explicit Helper(Helpers& the_owner) noexcept : owner(the_owner) {}
    void OnEnd() noexcept { owner.OnEnd(); }

    Helpers& owner;
    Step<Helper, &Helper::OnEnd> end{*this};
    std::thread thread;
  };

  void ThreadMain(Helper& helper, const char* name) noexcept;
  bool WaitForEvent() const noexcept;
  void OnEnd() noexcept;

  Engine& engine_;
  const int fd_;
  Runnable& on_readable_;
  UniqueFd stop_;  // an eventfd
  UniqueFd epoll_;
  std::atomic<size_t> listening_;  // threads that wait for the descriptor
  size_t running_;                 // threads that have not told their end
  Event ended_;
  std::vector<std::unique_ptr<Helper>> helpers_;
};

}  // namespace sluice::runtime
