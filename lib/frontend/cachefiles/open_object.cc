// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/open_object.h"

#include <fmt/format.h>
#include <unistd.h>  // for SEEK_HOLE

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/combine.h"

namespace sluice::frontend::cachefiles {

OpenObject::OpenObject(ObjectShard& shard, std::unique_ptr<ObjectFd> fd, uint64_t size, std::string name)
    : shard_(shard),
      fd_(std::move(fd)),
      size_(size),
      name_(std::move(name)),
      context_{shard.engine, runtime::StopToken(stop_)} {
  unused_.Set();
}

OpenObject::~OpenObject() { SLUICE_CHECK(fd_ == nullptr, "an object is closed before it is destroyed"); }

ByteRange OpenObject::Clamp(ByteRange range) const noexcept {
  const uint64_t end = AlignUp(size_, kBlockSize);
  const uint64_t first = std::min(AlignDown(range.offset, kBlockSize), end);
  const uint64_t last = range.end() >= end ? end : AlignUp(range.end(), kBlockSize);
  return {first, last - first};
}

bool OpenObject::IsThere(ByteRange range) const noexcept {
  const int64_t hole = fd_->Seek(range.offset, SEEK_HOLE);
  return hole >= 0 && static_cast<uint64_t>(hole) >= range.end();
}

runtime::Task<void> OpenObject::Answer(uint32_t id, ByteRange range) {
  if (answers_++ == 0) unused_.Reset();
  ++shard_.stats.reads;
  try {
    runtime::Task<void> fill = Fill(Clamp(range));
    co_await InContext(fill, context_);
  } catch (const std::exception& error) {
    ++shard_.stats.errors;
    if (!stop_.requested()) shard_.errors.Report(error.what(), "the reader gets EIO");
  }
  // EINVAL: nobody waits any more, the reader was killed.
  const int64_t completed = fd_->CompleteRead(id);
  if (completed < 0 && completed != -EINVAL) {
    shard_.errors.Report(
        fmt::format("'{}': cannot complete a read: {}", name_, std::strerror(static_cast<int>(-completed))),
        "the reader waits until it is killed");
  }
  if (--answers_ == 0) unused_.Set();
}

runtime::Task<void> OpenObject::Close() {
  stop_.RequestStop();
  co_await WithoutStop(unused_.Wait());
  co_await WithoutStop(Finish());
  fd_.reset();
}

}  // namespace sluice::frontend::cachefiles
