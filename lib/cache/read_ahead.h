// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decides what to fetch before it is asked for.  Reading in order pays for a window ahead of the reader: a small one at
// first, in the end twice what was read in order; skipping costs it.  So a start that touches a tenth of an image
// fetches little more than that tenth, and a reader of all files makes the blob complete long before it has asked for
// all of it.  Pure; owned by the blob's shard.

#include <array>
#include <cstdint>

#include "base/range.h"
#include "cache/cache_limits.h"

namespace sluice::cache {

class ReadAhead {
 public:
  static constexpr size_t kStreams = 8;

  // `blob_end`: the end of the plain address space, a multiple of kBlockSize; no window reaches beyond it.
  ReadAhead(uint64_t blob_end, const ReadAheadLimits& limits) noexcept : blob_end_(blob_end), limits_(limits) {}

  // A reader asks for `plain`, be it there already or not.  True: a window has grown.
  bool OnDemand(ByteRange plain) noexcept;

  // What is worth fetching ahead of stream `i`, most recently used stream first; empty when nothing is.  Parts of it
  // may be there already.
  ByteRange Window(size_t i) const noexcept;

 private:
  // One reader, or several that read on in the same place.
  struct Stream {
    uint64_t begin = 0;       // where it started
    uint64_t inherited = 0;   // credit that it started with
    uint64_t next = 0;        // end of the furthest demand
    uint64_t credit = 0;      // bytes read in order, less twice those skipped
    uint64_t penalty = 0;     // what skipping has cost; comes back when the reader does
    uint64_t window_end = 0;  // >= next when something is worth fetching
  };

  Stream& FindOrReplace(uint64_t offset) noexcept;
  uint64_t WindowFor(uint64_t credit) const noexcept;
  bool Continues(const Stream& stream, uint64_t offset) const noexcept;

  uint64_t blob_end_;
  ReadAheadLimits limits_;
  std::array<Stream, kStreams> streams_;  // most recently used first; unused ones have next == 0
};

}  // namespace sluice::cache
