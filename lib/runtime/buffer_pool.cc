// SPDX-License-Identifier: Apache-2.0
#include "runtime/buffer_pool.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace sluice::runtime {

Task<Buffer> BufferPool::Take(uint64_t bytes) {
  Buffer buffer;
  buffer.size_ = bytes;
  buffer.capacity_ = AlignUp(std::max<uint64_t>(bytes, 1), kBlockSize);
  buffer.permit_ = co_await budget_.Acquire(buffer.capacity_);
  buffer.memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kBlockSize, buffer.capacity_)));
  if (!buffer.memory_) Throw(Errc::kLimit, "no memory for a buffer of {} bytes", buffer.capacity_);
  co_return buffer;
}

}  // namespace sluice::runtime
