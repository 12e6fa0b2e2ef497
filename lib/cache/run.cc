// SPDX-License-Identifier: Apache-2.0
#include "cache/run.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::cache {

ChunkSpan RunAt(const BlobLayout& layout, const ChunkMap& map, uint32_t first, uint32_t end, const RunLimits& limits) {
  const uint64_t plain_begin = layout.chunk(first).plain_offset;
  const uint64_t stored_begin = layout.chunk(first).stored_offset;
  ChunkSpan run{first, first + 1};
  while (run.end < end && map.IsMissing(run.end)) {
    const LayoutChunk& last = layout.chunk(run.end - 1);
    const LayoutChunk& next = layout.chunk(run.end);
    const bool adjacent = next.plain_offset == last.block_end() && next.stored_offset >= last.stored_end() &&
                          next.stored_offset - last.stored_end() <= limits.stored_gap;
    const bool small =
        next.block_end() - plain_begin <= limits.plain_bytes && next.stored_end() - stored_begin <= limits.stored_bytes;
    if (!adjacent || !small) break;
    ++run.end;
  }
  return run;
}

ChunkSpan PieceAt(const BlobLayout& layout, ChunkSpan run, uint32_t first, uint32_t wanted_end,
                  const RunLimits& limits) {
  const uint32_t end = first < wanted_end ? std::min(wanted_end, run.end) : run.end;
  ChunkSpan piece{first, first + 1};
  while (piece.end < end) {
    const ChunkSpan longer{first, piece.end + 1};
    if (PlainBlocks(layout, longer).length > limits.plain_bytes) break;
    if (StoredBytes(layout, longer).length > limits.stored_bytes) break;
    piece = longer;
  }
  return piece;
}

ByteRange PlainBlocks(const BlobLayout& layout, ChunkSpan run) {
  const uint64_t begin = layout.chunk(run.first).plain_offset;
  return {begin, layout.chunk(run.end - 1).block_end() - begin};
}

ByteRange StoredBytes(const BlobLayout& layout, ChunkSpan run) {
  const uint64_t begin = layout.chunk(run.first).stored_offset;
  return {begin, layout.chunk(run.end - 1).stored_end() - begin};
}

std::string NameOf(const BlobLayout& layout, ChunkSpan run) {
  const uint32_t first = layout.chunk(run.first).index;
  const uint32_t last = layout.chunk(run.end - 1).index;
  if (first == last) return fmt::format("blob '{}', chunk {}", layout.id().hex(), first);
  return fmt::format("blob '{}', chunks {} to {}", layout.id().hex(), first, last);
}

}  // namespace sluice::cache
