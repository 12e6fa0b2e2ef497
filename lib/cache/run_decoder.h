// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stored bytes of a run to verified plain blocks.  Pure computation: for the shard when it is little, else for a CPU
// worker.

#include <sys/uio.h>  // for iovec

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "cache/blob_layout.h"
#include "codec/chunk_codec.h"

namespace sluice::cache {

// One chunk of a run that is not in the cache file, and why.
struct ChunkFailure {
  uint32_t position;
  Error error;
};

// Where chunks are that are stored as they are: among the stored bytes, or where DecodeRun is to put them.
enum class Uncompressed : unsigned char { kStored, kInPlace };

// Where StoredBytes(layout, run) are read to for Uncompressed::kInPlace, so that these chunks are not copied: in order,
// neighbours in one part.  `stored` and `plain` as in DecodeRun.
std::vector<iovec> PlacesOf(const BlobLayout& layout, ChunkSpan run, MutableBytes stored, MutableBytes plain);

// Decompresses and verifies the chunks of `run` one by one.  `stored`: StoredBytes(layout, run).  `plain`:
// PlainBlocks(layout, run), filled except where a chunk failed; zeros behind each chunk up to its block's end.
std::vector<ChunkFailure> DecodeRun(const BlobLayout& layout, ChunkSpan run, ConstBytes stored, MutableBytes plain,
                                    codec::ChunkDecoder& decoder, Uncompressed uncompressed = Uncompressed::kStored);

}  // namespace sluice::cache
