// SPDX-License-Identifier: Apache-2.0
#pragma once
// The chunk info ("blob meta") of a blob: an array of 16-byte (V1) or 24-byte (V2) entries, inflate contexts for zran
// and batch blobs, and a 4096-byte header behind them.  Serving reads the bootstrap's chunk table instead.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/compression.h"
#include "base/range.h"
#include "image/rafs/image.h"

namespace sluice::image::rafs {

constexpr uint64_t kBlobMetaHeaderSize = 4096;
constexpr uint64_t kChunkInfoV1Size = 16;
constexpr uint64_t kChunkInfoV2Size = 24;
constexpr uint64_t kInflateContextSize = 40;
// 2^24 V2 entries (nydus storage/src/meta, BLOB_CCT_V2_MAX_SIZE).
constexpr uint64_t kMaxChunkInfoSize = (uint64_t{1} << 24) * kChunkInfoV2Size;

struct BlobMetaHeader {
  uint32_t features = 0;  // blob_feature::…
  Compression ci_compression = Compression::kNone;
  uint32_t chunk_count = 0;
  uint64_t ci_offset = 0;  // in the blob
  uint64_t ci_stored_size = 0;
  uint64_t ci_plain_size = 0;
  uint64_t context_offset = 0;  // zran or batch contexts, from the start of the plain chunk info
  uint64_t context_size = 0;
  uint32_t context_count = 0;

  uint64_t entry_size() const noexcept {
    return (features & blob_feature::kChunkInfoV2) != 0 ? kChunkInfoV2Size : kChunkInfoV1Size;
  }
  bool operator==(const BlobMetaHeader&) const = default;
};

// `header` are the 4096 bytes behind the chunk info; `blob` names it in errors.  Throws kCorrupt naming the field.
BlobMetaHeader ParseBlobMetaHeader(ConstBytes header, std::string_view blob);
std::vector<std::byte> BuildBlobMetaHeader(const BlobMetaHeader& header);

struct ChunkInfo {
  enum class Kind : uint8_t { kPlain, kZran, kBatch };

  uint64_t plain_offset = 0;
  uint32_t plain_size = 0;
  uint64_t stored_offset = 0;
  uint32_t stored_size = 0;  // kBatch: 0; kZran: of the whole context
  bool compressed = false;
  bool encrypted = false;
  Kind kind = Kind::kPlain;
  uint32_t context = 0;            // kZran, kBatch: index of the inflate context
  uint32_t offset_in_context = 0;  // kZran, kBatch: of this chunk in what the context inflates to
  std::optional<uint32_t> crc32;   // V2, kPlain only

  bool operator==(const ChunkInfo&) const = default;
};

struct ZranContext {
  ByteRange stored;  // in the blob
  ByteRange plain;   // in the inflated stream
  ConstBytes dictionary;
  uint8_t first_byte = 0;  // the byte that holds the bits before the context
  uint8_t first_bits = 0;  // how many of them: 0 to 7
};

struct BatchContext {
  uint32_t stored_size = 0;
  uint32_t plain_size = 0;
  bool operator==(const BatchContext&) const = default;
};

// A whole parsed chunk info.  Borrows the dictionaries from the bytes it was parsed from.
struct BlobMeta {
  BlobMetaHeader header;
  std::vector<ChunkInfo> chunks;      // by chunk index
  std::vector<ZranContext> zran;      // ZRAN blobs
  std::vector<BatchContext> batches;  // BATCH blobs
};

// `chunk_info` is the decompressed array with its contexts (header.ci_plain_size bytes; more are ignored: cache files
// are padded).  Throws kCorrupt naming blob, chunk and field.
BlobMeta ParseBlobMeta(const BlobMetaHeader& header, ConstBytes chunk_info, std::string_view blob);

// The plain array for a native blob.  Throws kInvalidArgument for a chunk that the format cannot express: V1 has no
// crc32, 24-bit sizes and 40-bit stored offsets.
std::vector<std::byte> BuildChunkInfoV1(std::span<const Chunk> chunks);
std::vector<std::byte> BuildChunkInfoV2(std::span<const Chunk> chunks);

}  // namespace sluice::image::rafs
