// SPDX-License-Identifier: Apache-2.0
#pragma once
// The blob table of a RAFS v6 bootstrap: one 256-byte entry per blob; and what of it this build can serve.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "image/rafs/image.h"

namespace sluice::image::rafs {

constexpr uint64_t kBlobEntrySize = 256;
constexpr uint64_t kBlobIdSize = 64;                 // an entry starts with its id
constexpr uint64_t kMaxBlobs = 254;                  // the device id of a chunk index has 8 bits; 0 is the bootstrap
constexpr uint64_t kMaxChunksPerBlob = 1u << 24;     // RAFS_MAX_CHUNKS_PER_BLOB
constexpr uint64_t kMaxStoredBlobSize = 1ull << 40;  // chunk infos hold 40-bit offsets
constexpr uint64_t kMaxPlainBlobSize = 1ull << 44;

// Parses the entry at `position` of the table from its 256 bytes.  `chunk_size` is that of the super block.
// A bootstrap that is inlined in its blob cannot know the blob's id, the entry holds 64 times 'x' or a digest of the
// bytes before it: `inlined_id` takes that place in entries with INLINED_FS_META or, of old images, without
// CAP_TAR_TOC. Throws kCorrupt naming blob and field; kUnsupported for features unknown to this build.
Blob ParseBlobEntry(ConstBytes entry, uint32_t position, uint32_t chunk_size, const std::optional<BlobId>& inlined_id);

// Whether `entry` is one of those.
bool LacksId(ConstBytes entry);
void StoreBlobId(const BlobId& id, MutableBytes entry);

// Writes 256 bytes.
void StoreBlobEntry(const Blob& blob, uint32_t position, uint32_t chunk_size, MutableBytes to);

// Throws kUnsupported naming blob and feature unless the chunks of `blob` can be served: plain or compressed chunks,
// none of batch, zran, encrypted, separate, tarfs, external.
void RequireServable(const Blob& blob);

}  // namespace sluice::image::rafs
