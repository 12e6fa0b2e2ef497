// SPDX-License-Identifier: Apache-2.0
#pragma once
// Something that an engine, a worker thread or an ending task runs once: mostly "resume this suspended coroutine".

#include "runtime/intrusive_list.h"

namespace sluice::runtime {

// Lives in the frame of whoever waits for it, and so outlives its place in any queue.
class Runnable : public ListHook {
 public:
  // May destroy the object: the caller does not touch it afterwards.
  virtual void Run() noexcept = 0;

 protected:
  Runnable() noexcept = default;
  ~Runnable() = default;
};

}  // namespace sluice::runtime
