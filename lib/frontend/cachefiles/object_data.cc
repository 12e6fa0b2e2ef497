// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/object_data.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/error.h"
#include "runtime/timer.h"

namespace sluice::frontend::cachefiles {

// As much as the kernel takes at once; on a thread that may wait.
int64_t ObjectData::Write(ConstBytes src, uint64_t offset) noexcept {
  // Old kernels put the bytes elsewhere otherwise, and a write past the end makes the file larger.
  SLUICE_CHECK(IsAligned(offset, kBlock) && IsAligned(src.size(), kBlock) &&
                   IsAligned(reinterpret_cast<uintptr_t>(src.data()), kBlock) && offset + src.size() <= end_,
               "objects are written in whole blocks, inside");
  const int64_t written = object_.Write(src, offset);
  disk_.OnWrite(written);
  if (written <= 0) return written;
  // Old kernels count more than they were given.
  const uint64_t whole = AlignDown(std::min<uint64_t>(static_cast<uint64_t>(written), src.size()), kBlock);
  reads_.Complete(object_, {offset, whole});
  return static_cast<int64_t>(whole);
}

bool ObjectData::TryWrite(ConstBytes src, uint64_t offset) noexcept {
  return Write(src, offset) == static_cast<int64_t>(src.size());
}

runtime::Task<void> ObjectData::WriteAll(ConstBytes src, uint64_t offset) {
  Duration pause = kFirstPause;
  uint32_t refusals = 0;
  while (!src.empty()) {
    auto write = [this, src, offset] { return Write(src, offset); };
    const int64_t written = co_await writing_.Run(engine_, std::move(write));
    if (written == -ENOBUFS && ++refusals <= kMostRefusals) {
      co_await runtime::Sleep(engine_, pause);
      pause = std::min(2 * pause, kLongestPause);
      continue;
    }
    if (written == -ENOBUFS) {
      Throw(
          Errc::kNoSpace,
          "cannot write {} bytes at {} of '{}': the kernel's cache takes nothing (less than its stop limit is free on "
          "its file system, or the object is not in use any more)",
          src.size(), offset, name_);
    }
    if (written < 0)
      ThrowErrno(static_cast<int>(-written), "cannot write {} bytes at {} of '{}'", src.size(), offset, name_);
    if (written == 0) Throw(Errc::kIo, "'{}' took none of {} bytes at {}", name_, src.size(), offset);
    src = src.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

}  // namespace sluice::frontend::cachefiles
