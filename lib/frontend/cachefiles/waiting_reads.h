// SPDX-License-Identifier: Apache-2.0
#pragma once
// The READs of one object that wait for their bytes.  Whoever has put them in place lets the readers go on, at once and
// from his own thread.  Thread-safe.

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/range.h"
#include "frontend/cachefiles/device.h"
#include "runtime/guarded.h"

namespace sluice::frontend::cachefiles {

class WaitingReads {
 public:
  struct Read {
    uint32_t id;
    ByteRange range;
  };

  // `read` stays where it is until it is removed.  The kernel bounds how many there are: each is a thread that waits.
  void Add(const Read& read);
  // True: it is for the caller to complete it.  False: Complete() has done so, or is about to.
  bool Remove(const Read& read) noexcept;
  // Completes the READs whose ranges are inside `there` and removes them.
  void Complete(const ObjectFd& object, ByteRange there) noexcept;
  // What the kernel has refused to complete since the last call: a negative errno, or 0.  A reader that was killed does
  // not count.
  int64_t TakeError() noexcept { return error_.exchange(0); }

 private:
  runtime::Guarded<std::vector<const Read*>> reads_;
  std::atomic<int64_t> error_{0};
};

}  // namespace sluice::frontend::cachefiles
