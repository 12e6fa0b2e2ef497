// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which missing chunks one fetch takes together.  Pure.

#include <string>

#include "cache/blob_layout.h"
#include "cache/cache_limits.h"
#include "cache/chunk_map.h"

namespace sluice::cache {

// The longest run of missing chunks that begins at the missing chunk `first` and ends before `end`: without a hole in
// the cache file, in stored order with small gaps only, within `limits`.
ChunkSpan RunAt(const BlobLayout& layout, const ChunkMap& map, uint32_t first, uint32_t end, const RunLimits& limits);

// The part of `run` that begins at `first` and is handled at once: within `limits`, ending at `wanted_end` if it begins
// before that.
ChunkSpan PieceAt(const BlobLayout& layout, ChunkSpan run, uint32_t first, uint32_t wanted_end,
                  const RunLimits& limits);

// What the run covers: in the cache file (whole blocks), in the blob.
ByteRange PlainBlocks(const BlobLayout& layout, ChunkSpan run);
ByteRange StoredBytes(const BlobLayout& layout, ChunkSpan run);

// "blob '<id>', chunk 7" or "blob '<id>', chunks 7 to 9": the beginning of each message about a run.
std::string NameOf(const BlobLayout& layout, ChunkSpan run);

}  // namespace sluice::cache
