// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/object_data.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/error.h"
#include "runtime/timer.h"

namespace sluice::frontend::cachefiles {

runtime::Task<void> ObjectData::WriteAll(ConstBytes src, uint64_t offset) {
  // Old kernels put the bytes elsewhere otherwise, and a write past the end makes the file larger.
  SLUICE_CHECK(IsAligned(offset, kBlock) && IsAligned(src.size(), kBlock) &&
                   IsAligned(reinterpret_cast<uintptr_t>(src.data()), kBlock) && offset + src.size() <= end_,
               "objects are written in whole blocks, inside");
  Duration pause = kFirstPause;
  uint32_t refusals = 0;
  while (!src.empty()) {
    const int64_t written = co_await object_.Write(engine_, src, offset);
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
    const uint64_t step = AlignDown(std::min<uint64_t>(static_cast<uint64_t>(written), src.size()), kBlock);
    if (step == 0) Throw(Errc::kIo, "'{}' took {} of {} bytes at {}", name_, written, src.size(), offset);
    src = src.subspan(step);
    offset += step;
  }
}

}  // namespace sluice::frontend::cachefiles
