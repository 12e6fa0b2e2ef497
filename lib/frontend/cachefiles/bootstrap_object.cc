// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/bootstrap_object.h"

#include <fcntl.h>   // for O_RDONLY
#include <unistd.h>  // for SEEK_HOLE

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/limits.h"
#include "runtime/timer.h"

namespace sluice::frontend::cachefiles {

BootstrapObject::BootstrapObject(ObjectShard& shard, std::unique_ptr<ObjectFd> fd, std::string path, uint64_t size)
    : OpenObject(shard, std::move(fd), size, "bootstrap " + path),
      path_(std::move(path)),
      end_(AlignUp(size, kBlockSize)),
      data_(MakeData()),
      scope_(shard.engine, "bootstrap object") {}

void BootstrapObject::CopyAhead() {
  if (copied_ == end_ || std::exchange(copying_, true)) return;
  scope_.Spawn(CopyRest());
}

runtime::Task<void> BootstrapObject::CopyRest() {
  try {
    co_await FindCopied();
    while (copied_ < end_) {
      const ByteRange step{copied_, std::min(kStep, end_ - copied_)};
      co_await Copy(step);
      copied_ = step.end();
    }
  } catch (const Error& error) {
    if (error.code() != Errc::kStopped) shard().errors.Report(error.message(), "the rest is copied when it is read");
  }
  copying_ = false;
}

// A file of an earlier mount.  Until the kernel has opened it there is no telling.
runtime::Task<void> BootstrapObject::FindCopied() {
  Duration pause = ObjectData::kFirstPause;
  for (uint32_t refusals = 0; refusals < ObjectData::kMostRefusals; ++refusals) {
    const int64_t hole = fd().Seek(0, SEEK_HOLE);
    if (hole != -ENOBUFS) {
      if (hole > 0) copied_ = std::max(copied_, std::min(AlignDown(static_cast<uint64_t>(hole), kBlockSize), end_));
      co_return;
    }
    co_await runtime::Sleep(shard().engine, pause);
    pause = std::min(2 * pause, ObjectData::kLongestPause);
  }
  Throw(Errc::kTimeout, "'{}': the kernel does not open its file", name());
}

runtime::Task<void> BootstrapObject::Fill(ByteRange range) {
  if (range.end() <= copied_ && IsThere(range)) {
    ++shard().stats.hits;
    co_return;
  }
  ++shard().stats.misses;
  for (uint64_t offset = range.offset; offset < range.end(); offset += kStep) {
    const ByteRange step{offset, std::min(kStep, range.end() - offset)};
    co_await Copy(step);
  }
  // A file that can be read can be written: if copying ahead had given up, it may try again.
  if (!scope_.stop_requested()) CopyAhead();
}

runtime::Task<void> BootstrapObject::Copy(ByteRange range) {
  co_await OpenFile();
  runtime::Buffer buffer = co_await shard().bootstrap_buffers.Take(range.length);
  const MutableBytes bytes = buffer.bytes();
  const uint64_t inside = std::min(range.end(), size()) - range.offset;
  co_await file_.ReadExactly(bytes.first(inside), range.offset);
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(inside), bytes.end(), std::byte{0});
  co_await data_.WriteAll(bytes, range.offset);
}

runtime::Task<void> BootstrapObject::OpenFile() {
  const runtime::Permit alone = co_await opening_.Acquire(1);
  if (!file_) file_ = co_await runtime::File::Open(shard().engine, path_, O_RDONLY);
}

runtime::Task<void> BootstrapObject::Finish() {
  scope_.RequestStop();
  co_await scope_.Join();
  file_.Close();
}

}  // namespace sluice::frontend::cachefiles
