// SPDX-License-Identifier: Apache-2.0
#pragma once
// Memory for I/O, aligned for O_DIRECT, within a budget that makes callers wait.

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/bytes.h"
#include "runtime/engine.h"
#include "runtime/semaphore.h"

namespace sluice::runtime {

// Owned memory of whole 4096-byte blocks, 4096-aligned, not zeroed.  Gives its bytes back to the pool at destruction,
// which is on the pool's shard.
class Buffer {
 public:
  Buffer() noexcept = default;
  // The bytes asked for.
  MutableBytes bytes() noexcept { return {memory_.get(), size_}; }
  ConstBytes bytes() const noexcept { return {memory_.get(), size_}; }
  std::byte* data() noexcept { return memory_.get(); }
  uint64_t size() const noexcept { return size_; }
  // size() rounded up to a whole block: all of it is the buffer's.
  uint64_t capacity() const noexcept { return capacity_; }

 private:
  friend class BufferPool;
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  Permit permit_;
  std::unique_ptr<std::byte[], Free> memory_;
  uint64_t size_ = 0;
  uint64_t capacity_ = 0;
};

// One per shard; outlives its buffers.
class BufferPool {
 public:
  BufferPool(Engine& engine, uint64_t budget_bytes) noexcept : engine_(engine), budget_(budget_bytes) {}

  // Waits, first come, first served, until `bytes` fit into the budget; a request above the whole budget is let through
  // when no other buffer is out.  Throws kLimit when the system has no memory.
  Task<Buffer> Take(uint64_t bytes);
  // Bytes of the budget that are out.
  uint64_t used() const noexcept { return budget_.budget() - budget_.free(); }

 private:
  Engine& engine_;
  Semaphore budget_;
};

}  // namespace sluice::runtime
