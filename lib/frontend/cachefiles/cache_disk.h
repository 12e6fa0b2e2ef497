// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether the disk of the kernel's cache takes what is written.  The kernel passes errors of data on and says no more
// about them; it gives up the cache only when it cannot make or name a file.  Thread-safe.

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace sluice::frontend::cachefiles {

class CacheDisk {
 public:
  // Of the cache in `directory`.
  explicit CacheDisk(std::string directory) : directory_(std::move(directory)) {}

  // `result` of a write: >= 0, or a negative errno.  ENOBUFS is the kernel's answer and tells nothing about the disk.
  void OnWrite(int64_t result) noexcept {
    if (result == -ENOBUFS) return;
    const int error = result < 0 ? static_cast<int>(-result) : 0;
    if (error_.load(std::memory_order_relaxed) != error) error_ = error;
  }

  // What is wrong with it, for people; empty when the last write has succeeded.
  std::string Trouble() const {
    const int error = error_;
    if (error == 0) return {};
    return fmt::format("the disk of the cache '{}' takes nothing: {}", directory_, std::strerror(error));
  }

 private:
  const std::string directory_;
  std::atomic<int> error_ = 0;  // errno of the last write
};

}  // namespace sluice::frontend::cachefiles
