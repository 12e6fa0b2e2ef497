// SPDX-License-Identifier: Apache-2.0
#pragma once
// A value that several threads use, one at a time.  For programs without shards, and for
// the little that worker threads have to do with a shard's state.

#include <mutex>
#include <utility>

namespace sluice::runtime {

template <typename T>
class Guarded {
 public:
  // Runs function(value) while nobody else does, and gives its result.  No reference to the value leaves `function`,
  // and it does not wait for anything.
  template <typename F>
  auto With(F function) {
    const std::lock_guard lock(mutex_);
    return function(value_);
  }
  template <typename F>
  auto With(F function) const {
    const std::lock_guard lock(mutex_);
    return function(std::as_const(value_));
  }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace sluice::runtime
