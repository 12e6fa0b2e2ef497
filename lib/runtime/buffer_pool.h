// SPDX-License-Identifier: Apache-2.0
#pragma once
// Memory for I/O, aligned for O_DIRECT, within a budget that makes callers wait.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "runtime/engine.h"
#include "runtime/semaphore.h"

namespace sluice::runtime {

class BufferPool;

// Whole pages of the system; unmapped at destruction.
class Pages {
 public:
  Pages() noexcept = default;
  // Throws kLimit when the system has no memory.
  explicit Pages(uint64_t size);
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&& other) noexcept;
  ~Pages();

  std::byte* data() const noexcept { return data_; }
  uint64_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

// Owned memory of whole 4096-byte blocks, 4096-aligned, not zeroed.  Gives its bytes back to the pool at destruction,
// which is on the pool's shard.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  // The bytes asked for.
  MutableBytes bytes() noexcept { return {pages_.data(), size_}; }
  ConstBytes bytes() const noexcept { return {pages_.data(), size_}; }
  std::byte* data() noexcept { return pages_.data(); }
  uint64_t size() const noexcept { return size_; }
  // size() rounded up to a whole block: all of it is the buffer's.
  uint64_t capacity() const noexcept { return AlignUp(size_, 4096); }

 private:
  friend class BufferPool;
  BufferPool* pool_ = nullptr;
  Permit permit_;
  Pages pages_;
  uint64_t size_ = 0;
};

// One per shard; outlives its buffers.
class BufferPool {
 public:
  explicit BufferPool(uint64_t budget_bytes) noexcept : budget_(budget_bytes) {}

  // Waits, first come, first served, until `bytes` fit into the budget; a request above the whole budget is let through
  // when no other buffer is out.  Throws kLimit when the system has no memory.
  Task<Buffer> Take(uint64_t bytes);
  // Bytes of the budget that are out.
  uint64_t used() const noexcept { return budget_.budget() - budget_.free(); }

 private:
  friend class Buffer;
  // Memory that has just been used is kept for the next buffers, within the budget: fresh pages cost a fault each, and
  // the heap would keep many times the budget when large pieces of all sizes come and go.
  static constexpr uint64_t kGranule = 256 * 1024;
  static constexpr size_t kMostIdle = 4;
  Pages TakePages(uint64_t bytes);
  void GivePages(Pages pages) noexcept;

  Semaphore budget_;
  std::vector<Pages> idle_;  // at most kMostIdle, each at most half of the budget; oldest first
};

}  // namespace sluice::runtime
