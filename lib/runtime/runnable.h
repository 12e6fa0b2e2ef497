// SPDX-License-Identifier: Apache-2.0
#pragma once
// Something that an engine, a worker thread or an ending task runs once: mostly "resume this suspended coroutine".

#include "runtime/intrusive_list.h"

namespace sluice::runtime {

// Lives in the frame of whoever waits for it, and so outlives its place in any queue.
class Runnable : public ListHook {
 public:
  Runnable() noexcept = default;
  virtual ~Runnable() = default;
  // May destroy the object: the caller does not touch it afterwards.
  virtual void Run() noexcept = 0;
};

// Calls a member of the object that it is part of: for objects with several such calls to make.
template <typename Owner, void (Owner::*kMethod)() noexcept>
class Step final : public Runnable {
 public:
  explicit Step(Owner& owner) noexcept : owner_(owner) {}
  void Run() noexcept override { (owner_.*kMethod)(); }

 private:
  Owner& owner_;
};

}  // namespace sluice::runtime
