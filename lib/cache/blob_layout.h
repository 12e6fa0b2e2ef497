// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the chunks of one blob lie, plain and stored.  Immutable: shards and CPU workers share it freely.

#include <cstdint>
#include <vector>

#include "base/blob_id.h"
#include "base/bytes.h"
#include "base/compression.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/range.h"
#include "image/rafs/blob_advice.h"
#include "image/rafs/image.h"

namespace sluice::cache {

// One chunk.  Large blobs have millions of them: keep it at 64 bytes.
struct LayoutChunk {
  Digest digest;               // of the plain bytes
  uint64_t plain_offset = 0;   // in the cache file; multiple of kBlockSize
  uint64_t stored_offset = 0;  // in the blob
  uint32_t plain_size = 0;     // 1 to kMaxChunkSize
  uint32_t stored_size = 0;
  uint32_t index = 0;  // in the blob's chunk table: the number that messages name
  bool compressed = false;

  // The chunk owns whole blocks of the cache file: nothing else lies in [plain_offset, block_end()).
  uint64_t block_end() const noexcept { return AlignUp(plain_offset + plain_size, kBlockSize); }
  uint64_t stored_end() const noexcept { return stored_offset + stored_size; }
};
static_assert(sizeof(LayoutChunk) <= 64);

// Chunks [first, end) in the order of their plain offsets.
struct ChunkSpan {
  uint32_t first = 0;
  uint32_t end = 0;

  constexpr uint32_t size() const noexcept { return end - first; }
  constexpr bool empty() const noexcept { return first == end; }
  constexpr bool Contains(uint32_t position) const noexcept { return first <= position && position < end; }
  bool operator==(const ChunkSpan&) const = default;
};

// A layout that exists is sane: chunks lie inside the blob and inside the cache file, no two share a block, and their
// sizes bound what a fetch allocates.
class BlobLayout {
 public:
  // `blob` comes from a bootstrap that has passed image::rafs::RequireServable, `advice` from the same; its groups are
  // below 2^32 - 1 and dense.  Throws kCorrupt naming blob, chunk and numbers.
  explicit BlobLayout(const image::rafs::Blob& blob, image::rafs::BlobAdvice advice = {});

  const BlobId& id() const noexcept { return id_; }
  Compression compression() const noexcept { return compression_; }
  DigestAlgorithm digester() const noexcept { return digester_; }
  uint64_t plain_size() const noexcept { return plain_size_; }    // of the cache file; multiple of kBlockSize
  uint64_t stored_size() const noexcept { return stored_size_; }  // of the blob
  uint64_t chunk_bytes() const noexcept { return chunk_bytes_; }  // plain bytes of all chunks

  // sha256 over everything above and all chunks.  Two images share a cache only when they agree on all of it, so an
  // image that lies about a blob spoils only its own cache.
  const Digest& digest() const noexcept { return digest_; }

  // In the order of plain offsets; positions in this order name chunks throughout the cache.
  const std::vector<LayoutChunk>& chunks() const noexcept { return chunks_; }
  const LayoutChunk& chunk(uint32_t position) const noexcept { return chunks_[position]; }
  ChunkSpan all() const noexcept { return {0, static_cast<uint32_t>(chunks_.size())}; }

  // What belongs together in the image that the layout was made from: the chunks of a large file, the small files of a
  // folder.  Advice, and no part of the digest: another image with the same blob may group it otherwise.
  // Stored bytes by group; empty when nothing is known.
  const std::vector<uint64_t>& group_sizes() const noexcept { return group_sizes_; }
  // Only if something is known.
  uint32_t group(uint32_t position) const noexcept { return advice_.groups[position]; }
  // Where files lie that others speak of.
  const image::rafs::FileNames& names() const noexcept { return advice_.names; }

  // The chunks that hold bytes of `plain`.  Any range will do: what lies outside of all chunks needs none.
  ChunkSpan Covering(ByteRange plain) const noexcept;

 private:
  void Check() const;
  Digest ComputeDigest() const;

  BlobId id_;
  Compression compression_;
  DigestAlgorithm digester_;
  uint64_t plain_size_;
  uint64_t stored_size_;
  uint64_t chunk_bytes_ = 0;
  std::vector<LayoutChunk> chunks_;
  image::rafs::BlobAdvice advice_;
  std::vector<uint64_t> group_sizes_;
  Digest digest_;
};

}  // namespace sluice::cache
