// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_layout.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/error.h"

namespace sluice::cache {
namespace {

// What a chunk may grow to when compression does not help: far above the bounds of zstd and lz4, which add less than
// 1/128 and some header bytes.
constexpr uint64_t MaxStoredSize(uint64_t plain_size) { return plain_size + plain_size / 8 + kBlockSize; }

}  // namespace

BlobLayout::BlobLayout(const image::rafs::Blob& blob, image::rafs::BlobAdvice advice)
    : id_(blob.id),
      compression_(blob.compression),
      digester_(blob.digester),
      plain_size_(blob.plain_size),
      stored_size_(blob.stored_size),
      advice_(std::move(advice)) {
  chunks_.reserve(blob.chunks.size());
  for (const image::rafs::Chunk& chunk : blob.chunks) {
    chunks_.push_back(LayoutChunk{.digest = chunk.digest,
                                  .plain_offset = chunk.plain_offset,
                                  .stored_offset = chunk.stored_offset,
                                  .plain_size = chunk.plain_size,
                                  .stored_size = chunk.stored_size,
                                  .index = chunk.index,
                                  .compressed = chunk.compressed});
    chunk_bytes_ += chunk.plain_size;
  }
  Check();
  if (const std::vector<uint32_t>& groups = advice_.groups; !groups.empty()) {
    SLUICE_CHECK(groups.size() == chunks_.size(), "each chunk has a group");
    group_sizes_.resize(uint64_t{*std::max_element(groups.begin(), groups.end())} + 1);
    for (size_t i = 0; i < chunks_.size(); ++i) group_sizes_[groups[i]] += chunks_[i].stored_size;
  }
  digest_ = ComputeDigest();
}

void BlobLayout::Check() const {
  // Signed 64-bit file offsets must hold every end that is computed below.
  constexpr uint64_t kMaxSize = std::numeric_limits<int64_t>::max() / 2;
  if (plain_size_ > kMaxSize || !IsAligned(plain_size_, kBlockSize))
    Throw(Errc::kCorrupt, "blob '{}': plain size {} is not a multiple of {} below {}", id_.hex(), plain_size_,
          kBlockSize, kMaxSize);
  if (stored_size_ > kMaxSize)
    Throw(Errc::kCorrupt, "blob '{}': stored size {} exceeds {}", id_.hex(), stored_size_, kMaxSize);
  uint64_t free_from = 0;  // end of the previous chunk's blocks
  for (const LayoutChunk& chunk : chunks_) {
    if (chunk.plain_size == 0 || chunk.plain_size > kMaxChunkSize)
      Throw(Errc::kCorrupt, "blob '{}': chunk {} has plain size {}, not in 1 to {}", id_.hex(), chunk.index,
            chunk.plain_size, kMaxChunkSize);
    if (!IsAligned(chunk.plain_offset, kBlockSize))
      Throw(Errc::kCorrupt, "blob '{}': chunk {} has plain offset {}, not a multiple of {}", id_.hex(), chunk.index,
            chunk.plain_offset, kBlockSize);
    if (chunk.plain_offset < free_from)
      Throw(Errc::kCorrupt, "blob '{}': chunk {} at plain offset {} overlaps the chunk that ends at {}", id_.hex(),
            chunk.index, chunk.plain_offset, free_from);
    if (chunk.plain_offset > plain_size_ || plain_size_ - chunk.plain_offset < chunk.plain_size)
      Throw(Errc::kCorrupt, "blob '{}': chunk {} at plain offset {} with {} bytes ends past plain size {}", id_.hex(),
            chunk.index, chunk.plain_offset, chunk.plain_size, plain_size_);
    if (chunk.stored_offset > stored_size_ || stored_size_ - chunk.stored_offset < chunk.stored_size)
      Throw(Errc::kCorrupt, "blob '{}': chunk {} at stored offset {} with {} bytes ends past stored size {}", id_.hex(),
            chunk.index, chunk.stored_offset, chunk.stored_size, stored_size_);
    const bool size_fits = chunk.compressed
                               ? chunk.stored_size > 0 && chunk.stored_size <= MaxStoredSize(chunk.plain_size)
                               : chunk.stored_size == chunk.plain_size;
    if (!size_fits)
      Throw(Errc::kCorrupt, "blob '{}': chunk {} has {} stored bytes for {} plain bytes ({})", id_.hex(), chunk.index,
            chunk.stored_size, chunk.plain_size, chunk.compressed ? "compressed" : "not compressed");
    free_from = chunk.block_end();
  }
}

Digest BlobLayout::ComputeDigest() const {
  constexpr size_t kRecord = 64;
  Hasher hasher(DigestAlgorithm::kSha256);
  std::byte record[kRecord] = {};
  hasher.Update(AsBytes("sluice blob layout 1"));
  hasher.Update(AsBytes(id_.hex()));
  StoreLe<uint64_t>(record, plain_size_);
  StoreLe<uint64_t>(record + 8, stored_size_);
  StoreLe<uint32_t>(record + 16, static_cast<uint32_t>(compression_));
  StoreLe<uint32_t>(record + 20, static_cast<uint32_t>(digester_));
  StoreLe<uint64_t>(record + 24, chunks_.size());
  hasher.Update(ConstBytes(record, 32));
  for (const LayoutChunk& chunk : chunks_) {
    std::copy(chunk.digest.bytes.begin(), chunk.digest.bytes.end(), record);
    StoreLe<uint64_t>(record + 32, chunk.plain_offset);
    StoreLe<uint64_t>(record + 40, chunk.stored_offset);
    StoreLe<uint32_t>(record + 48, chunk.plain_size);
    StoreLe<uint32_t>(record + 52, chunk.stored_size);
    StoreLe<uint32_t>(record + 56, chunk.index);
    StoreLe<uint32_t>(record + 60, chunk.compressed ? 1 : 0);
    hasher.Update(record);
  }
  return hasher.Finish();
}

ChunkSpan BlobLayout::Covering(ByteRange plain) const noexcept {
  const uint64_t begin = plain.offset;
  const uint64_t end = plain.length > UINT64_MAX - begin ? UINT64_MAX : begin + plain.length;
  if (begin == end) return {};
  const auto starts_before = [](const LayoutChunk& chunk, uint64_t offset) { return chunk.plain_offset < offset; };
  const auto last = std::lower_bound(chunks_.begin(), chunks_.end(), end, starts_before);
  // The chunk before the first one that starts at or after `begin` may reach into the range; no other can.
  auto first = std::lower_bound(chunks_.begin(), last, begin, starts_before);
  if (first != chunks_.begin() && begin < std::prev(first)->plain_offset + std::prev(first)->plain_size) --first;
  if (first == last) return {};
  return {static_cast<uint32_t>(first - chunks_.begin()), static_cast<uint32_t>(last - chunks_.begin())};
}

}  // namespace sluice::cache
