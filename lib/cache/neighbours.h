// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which missing chunks are likely to be asked for next, from where readers have been: those close to chunks that were
// read, and among them those of the same file or folder.  Pure; owned by the blob's shard.

#include <cstdint>
#include <deque>
#include <vector>

#include "cache/blob_layout.h"
#include "cache/cache_limits.h"
#include "cache/chunk_map.h"

namespace sluice::cache {

class Neighbours {
 public:
  // `layout` outlives the object.  Uses some bytes for each chunk group and extent from the first OnRead on.
  explicit Neighbours(const BlobLayout& layout) noexcept : layout_(layout) {}

  // Readers have asked for `chunks`, be they there already or not.  Only the first time counts.
  void OnRead(ChunkSpan chunks);

  // The most promising run of missing chunks within `limits`; empty when nothing is worth it.
  ChunkSpan Pick(const ChunkMap& map, const RunLimits& limits) const;

 private:
  uint64_t ExtentOf(uint32_t position) const noexcept;
  double ScoreOf(uint32_t position) const noexcept;
  void Begin();

  const BlobLayout& layout_;
  uint64_t extent_bytes_ = 0;  // plain; 0 before the first OnRead
  ChunkSet read_{0};
  std::vector<float> heat_;            // by extent: how much was read there and around
  std::deque<uint64_t> recent_;        // extents, latest first, at most kRecent
  std::vector<uint32_t> group_reads_;  // by group: chunks that were read
};

}  // namespace sluice::cache
