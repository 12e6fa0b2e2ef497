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
namespace {

constexpr uint64_t kLead = 4 * kMiB;
constexpr uint64_t kRun = 256 * kKiB;  // plain bytes, two of the kernel's largest questions

}  // namespace

cache::CacheLimits ForTheKernel(cache::CacheLimits limits) {
  limits.demand_buffers *= 2;
  limits.read_ahead.hits_are_silent = true;
  limits.read_ahead.lead = std::max(limits.read_ahead.lead, kLead);
  limits.read_ahead.step = std::min(limits.read_ahead.step, kRun);
  limits.background.plain_bytes = std::min(limits.background.plain_bytes, kRun);
  return limits;
}

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
  const WaitingReads::Read read{id, Clamp(range)};
  reads_.Add(read);
  std::string failure;
  try {
    runtime::Task<void> fill = Fill(read.range);
    co_await InContext(fill, context_);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (reads_.Remove(read)) {
    // Its bytes came in several writes or had been there, or they could not be had.
    if (!failure.empty()) {
      ++shard_.stats.errors;
      // One line for a disk that fails, not one for each chunk.
      const std::string trouble = shard_.disk.Trouble();
      if (!stop_.requested()) shard_.errors.Report(trouble.empty() ? failure : trouble, "the reader gets EIO");
    }
    ReportIncomplete(fd_->CompleteRead(id));
  }
  ReportIncomplete(reads_.TakeError());
  if (--answers_ == 0) unused_.Set();
}

void OpenObject::ReportIncomplete(int64_t error) {
  // EINVAL: nobody waits any more, the reader was killed.
  if (error >= 0 || error == -EINVAL) return;
  shard_.errors.Report(fmt::format("'{}': cannot complete a read: {}", name_, std::strerror(static_cast<int>(-error))),
                       "the reader waits until it is killed");
}

runtime::Task<void> OpenObject::Close() {
  stop_.RequestStop();
  co_await WithoutStop(unused_.Wait());
  co_await WithoutStop(Finish());
  fd_.reset();
}

}  // namespace sluice::frontend::cachefiles
