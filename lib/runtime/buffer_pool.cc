// SPDX-License-Identifier: Apache-2.0
#include "runtime/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/limits.h"

namespace sluice::runtime {

Pages::Pages(uint64_t size) : size_(size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Throw(Errc::kLimit, "no memory for a buffer of {} bytes", size);
  data_ = static_cast<std::byte*>(memory);
}

Pages::Pages(Pages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Pages& Pages::operator=(Pages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Pages::~Pages() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(permit_, other.permit_);
  std::swap(pages_, other.pages_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer::~Buffer() {
  if (pages_.data() != nullptr) pool_->GivePages(std::move(pages_));
}

Task<Buffer> BufferPool::Take(uint64_t bytes) {
  Buffer buffer;
  buffer.permit_ = co_await budget_.Acquire(AlignUp(std::max<uint64_t>(bytes, 1), kBlockSize));
  buffer.pages_ = TakePages(bytes);
  buffer.pool_ = this;
  buffer.size_ = bytes;
  co_return buffer;
}

Pages BufferPool::TakePages(uint64_t bytes) {
  auto best = idle_.end();
  uint64_t idle_bytes = 0;
  for (auto pages = idle_.begin(); pages != idle_.end(); ++pages) {
    idle_bytes += pages->size();
    if (pages->size() >= bytes && (best == idle_.end() || pages->size() < best->size())) best = pages;
  }
  if (best != idle_.end()) {
    Pages found = std::move(*best);
    idle_.erase(best);
    return found;
  }
  for (; !idle_.empty() && idle_bytes + used() > budget_.budget(); idle_.erase(idle_.begin()))
    idle_bytes -= idle_.front().size();
  return Pages(AlignUp(std::max<uint64_t>(bytes, 1), kGranule));
}

void BufferPool::GivePages(Pages pages) noexcept {
  if (pages.size() > budget_.budget() / 2) return;
  // The oldest goes: those of a size that is no longer asked for must not stay for good.
  if (idle_.size() == kMostIdle) idle_.erase(idle_.begin());
  idle_.push_back(std::move(pages));
}

}  // namespace sluice::runtime
