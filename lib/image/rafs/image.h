// SPDX-License-Identifier: Apache-2.0
#pragma once
// A RAFS v6 image as values: the tree, the blobs and their chunks.  Parsed from a bootstrap, or built into one.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/blob_id.h"
#include "base/bytes.h"
#include "base/compression.h"
#include "base/digest.h"
#include "base/limits.h"
#include "image/tree.h"

namespace sluice::image::rafs {

// One chunk of a blob: unit of digest and compression.
struct Chunk {
  uint32_t index = 0;          // in the chunk info array of the blob; below Blob::chunk_count
  Digest digest;               // of the plain bytes, by the image's digester
  uint64_t plain_offset = 0;   // in the plain address space of the blob (= offset in the cache file); multiple of 4096
  uint64_t stored_offset = 0;  // in the blob
  uint32_t plain_size = 0;     // 1 to chunk_size
  uint32_t stored_size = 0;    // as in the blob; equal to plain_size when not compressed
  bool compressed = false;
  std::optional<uint32_t> crc32;  // BlobChunkFlags HAS_CRC32

  uint64_t plain_end() const noexcept { return plain_offset + plain_size; }
  uint64_t stored_end() const noexcept { return stored_offset + stored_size; }
  bool operator==(const Chunk&) const = default;
};

// BlobFeatures of RAFS v6 (nydus storage/src/device.rs).
namespace blob_feature {
constexpr uint32_t kAligned = 0x1;
constexpr uint32_t kInlinedFsMeta = 0x2;
constexpr uint32_t kChunkInfoV2 = 0x4;
constexpr uint32_t kZran = 0x8;
constexpr uint32_t kSeparate = 0x10;
constexpr uint32_t kInlinedChunkDigest = 0x20;
constexpr uint32_t kTarfs = 0x40;
constexpr uint32_t kBatch = 0x80;
constexpr uint32_t kEncrypted = 0x100;
constexpr uint32_t kChunkDictGenerated = 0x200;
constexpr uint32_t kSeparatedWithPrefetchFiles = 0x400;
constexpr uint32_t kExternal = 0x800;
constexpr uint32_t kIncompatMask = 0xFFFF;
constexpr uint32_t kHasTarHeader = 0x10000000;
constexpr uint32_t kHasToc = 0x20000000;
constexpr uint32_t kCapTarToc = 0x40000000;
}  // namespace blob_feature

// A blob as its 256-byte entry in the blob table and the device slot describe it, with its chunks.
struct Blob {
  BlobId id;
  uint32_t chunk_count = 0;  // of the whole blob; chunk indexes are below it
  Compression compression = Compression::kZstd;
  DigestAlgorithm digester = DigestAlgorithm::kBlake3;
  uint32_t features = 0;     // blob_feature::…
  uint64_t stored_size = 0;  // of the whole blob file
  uint64_t plain_size = 0;   // of the plain address space; multiple of 4096
  uint32_t toc_size = 0;
  Digest toc_digest;
  Compression ci_compression = Compression::kNone;
  uint64_t ci_offset = 0;  // chunk info array in the blob; its 4096-byte header follows it
  uint64_t ci_stored_size = 0;
  uint64_t ci_plain_size = 0;
  Digest meta_digest;  // SEPARATE blobs: the id of the blob that holds the chunk info; ENCRYPTED blobs: the key
  uint64_t meta_size =
      0;  // SEPARATE blobs: size of that blob; ENCRYPTED blobs: first half of the initialization vector
  uint64_t cipher_iv = 0;     // ENCRYPTED blobs: second half of the initialization vector
  uint32_t cipher = 0;        // 0 none, 1 AES-128-XTS
  uint32_t mapped_block = 0;  // device slot: where the blob starts in the flattened device address space, in blocks

  // The chunks that the bootstrap describes: ascending by index and by plain_offset, their plain ranges (rounded up to
  // whole blocks) disjoint.  Ours describe all chunks of the blob, so that position and index are the same; others
  // leave out what no file uses.
  std::vector<Chunk> chunks;

  bool operator==(const Blob&) const = default;
};

// A chunk of zeros that stands for all holes.  The kernel reads a hole as zeros by itself, and so do we; nydusd knows
// no holes and reads this chunk, which every index of a hole names besides saying "hole".  It is in the chunk info of
// its blob, but in no Blob::chunks: nobody who looks into the plain address space finds it.
struct ZeroChunk {
  uint32_t blob = 0;  // position in Image::blobs
  Chunk chunk;        // of chunk_size bytes; plain_offset is kHoleOffset
  bool operator==(const ZeroChunk&) const = default;
};
// Where the block address of a hole (erofs::kNullBlock) would be.
constexpr uint64_t kHoleOffset = uint64_t{0xFFFFFFFF} * kBlockSize;

struct Image {
  uint32_t chunk_size = 0;  // power of two in [kMinChunkSize, kMaxChunkSize]
  Compression compression = Compression::kZstd;
  DigestAlgorithm digester = DigestAlgorithm::kBlake3;
  std::vector<Blob> blobs;
  Tree tree;
  std::vector<InodeId> prefetch;   // in the order of the prefetch table
  std::optional<ZeroChunk> zeros;  // none: without holes, or not for nydusd
};

}  // namespace sluice::image::rafs
