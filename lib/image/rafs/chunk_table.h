// SPDX-License-Identifier: Apache-2.0
#pragma once
// The chunk table of a RAFS v6 bootstrap: one 80-byte entry per chunk, sorted by digest, then blob.  It is the truth
// about the chunks that this build serves.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "image/rafs/image.h"

namespace sluice::image::rafs {

constexpr uint64_t kChunkEntrySize = 80;

// Distributes the table over Blob::chunks (which are empty before) and returns the chunk of zeros, if it has one.
// Throws kCorrupt naming blob, chunk and field when an entry contradicts its blob, when chunks of a blob have the same
// index or overlap, or when their order by index is not their order by plain offset.
std::optional<ZeroChunk> ParseChunkTable(ConstBytes table, uint32_t chunk_size, std::vector<Blob>& blobs);

// All chunks of all blobs, and the chunk of zeros.
std::vector<std::byte> BuildChunkTable(const std::vector<Blob>& blobs, const std::optional<ZeroChunk>& zeros = {});

// Sha256 over the chunks of `blob`: two bootstraps with the same id and layout digest describe the same bytes.
Digest LayoutDigest(const Blob& blob);

}  // namespace sluice::image::rafs
