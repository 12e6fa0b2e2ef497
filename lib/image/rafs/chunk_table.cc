// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/chunk_table.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/limits.h"

namespace sluice::image::rafs {
namespace {

// struct RafsV5ChunkInfo, which RAFS v6 keeps
constexpr uint64_t kDigestAt = 0;
constexpr uint64_t kBlobAt = 32;
constexpr uint64_t kFlagsAt = 36;
constexpr uint64_t kStoredSizeAt = 40;
constexpr uint64_t kPlainSizeAt = 44;
constexpr uint64_t kStoredOffsetAt = 48;
constexpr uint64_t kPlainOffsetAt = 56;
constexpr uint64_t kIndexAt = 72;
constexpr uint64_t kCrcAt = 76;

// BlobChunkFlags
constexpr uint32_t kCompressed = 0x1;
constexpr uint32_t kEncrypted = 0x4;
constexpr uint32_t kBatch = 0x8;
constexpr uint32_t kHasCrc32 = 0x10;

// An encrypted chunk is longer than its plain bytes: the cipher pads to its unit.
constexpr uint64_t kMaxCipherPadding = kBlockSize;

[[noreturn]] void ThrowField(const Blob& blob, const Chunk& chunk, const char* field, uint64_t value) {
  Throw(Errc::kCorrupt, "chunk table: blob {} chunk {}: field '{}' is {:#x}", blob.id.hex(), chunk.index, field, value);
}

void CheckFlags(uint32_t flags, const Blob& blob, const Chunk& chunk) {
  uint32_t allowed = kCompressed | kHasCrc32;
  if ((blob.features & blob_feature::kEncrypted) != 0) allowed |= kEncrypted;
  if ((blob.features & blob_feature::kBatch) != 0) allowed |= kBatch;
  if ((flags & ~allowed) != 0) ThrowField(blob, chunk, "flags", flags);
}

// Where the chunk lies in the stored blob.  For batch and zran blobs the chunk info knows, the table does not.
void CheckStored(const Blob& blob, const Chunk& chunk, uint32_t chunk_size) {
  if ((blob.features & (blob_feature::kBatch | blob_feature::kZran)) != 0) return;
  const bool encrypted = (blob.features & blob_feature::kEncrypted) != 0;
  const uint64_t limit = chunk_size + (encrypted ? kMaxCipherPadding : 0);
  const bool plain_differs = !chunk.compressed && !encrypted && chunk.stored_size != chunk.plain_size;
  if (chunk.stored_size == 0 || chunk.stored_size > limit || plain_differs)
    ThrowField(blob, chunk, "compressed_size", chunk.stored_size);
  if (chunk.stored_offset > blob.stored_size || chunk.stored_size > blob.stored_size - chunk.stored_offset)
    ThrowField(blob, chunk, "compressed_offset", chunk.stored_offset);
}

void CheckPlain(const Blob& blob, const Chunk& chunk, uint32_t chunk_size) {
  if (chunk.plain_offset == kHoleOffset) {
    if (chunk.plain_size != chunk_size) ThrowField(blob, chunk, "uncompressed_size", chunk.plain_size);
    return;
  }
  if (chunk.plain_size == 0 || chunk.plain_size > chunk_size)
    ThrowField(blob, chunk, "uncompressed_size", chunk.plain_size);
  if (!IsAligned(chunk.plain_offset, kBlockSize) || chunk.plain_offset > blob.plain_size ||
      AlignUp(chunk.plain_size, kBlockSize) > blob.plain_size - chunk.plain_offset)
    ThrowField(blob, chunk, "uncompressed_offset", chunk.plain_offset);
}

// Chunks in the order of their index must be in the order of their offsets, too: nydus searches them that way.
void CheckOrder(const Blob& blob) {
  for (size_t i = 1; i < blob.chunks.size(); ++i) {
    const Chunk& before = blob.chunks[i - 1];
    const Chunk& chunk = blob.chunks[i];
    if (chunk.index == before.index)
      Throw(Errc::kCorrupt, "chunk table: blob {} chunk {} appears twice", blob.id.hex(), chunk.index);
    if (chunk.plain_offset < AlignUp(before.plain_end(), kBlockSize))
      Throw(Errc::kCorrupt, "chunk table: blob {} chunk {} at plain offset {} overlaps chunk {} that ends at {}",
            blob.id.hex(), chunk.index, chunk.plain_offset, before.index, before.plain_end());
  }
}

void StoreEntry(const Chunk& chunk, uint32_t blob, bool encrypted, MutableBytes to) {
  std::byte* at = to.data();
  std::fill_n(at, kChunkEntrySize, std::byte{0});
  std::copy(chunk.digest.bytes.begin(), chunk.digest.bytes.end(), at + kDigestAt);
  StoreLe<uint32_t>(at + kBlobAt, blob);
  StoreLe<uint32_t>(at + kFlagsAt, (chunk.compressed ? kCompressed : 0) | (encrypted ? kEncrypted : 0) |
                                       (chunk.crc32 ? kHasCrc32 : 0));
  StoreLe<uint32_t>(at + kStoredSizeAt, chunk.stored_size);
  StoreLe<uint32_t>(at + kPlainSizeAt, chunk.plain_size);
  StoreLe<uint64_t>(at + kStoredOffsetAt, chunk.stored_offset);
  StoreLe<uint64_t>(at + kPlainOffsetAt, chunk.plain_offset);
  StoreLe<uint32_t>(at + kIndexAt, chunk.index);
  StoreLe<uint32_t>(at + kCrcAt, chunk.crc32.value_or(0));
}

}  // namespace

std::optional<ZeroChunk> ParseChunkTable(ConstBytes table, uint32_t chunk_size, std::vector<Blob>& blobs) {
  std::optional<ZeroChunk> zeros;
  for (; table.size() >= kChunkEntrySize; table = table.subspan(kChunkEntrySize)) {
    const std::byte* at = table.data();
    const auto position = LoadLe<uint32_t>(at + kBlobAt);
    if (position >= blobs.size())
      Throw(Errc::kCorrupt, "chunk table: field 'blob_index' is {}, there are {} blobs", position, blobs.size());
    Blob& blob = blobs[position];
    Chunk chunk;
    chunk.index = LoadLe<uint32_t>(at + kIndexAt);
    if (chunk.index >= blob.chunk_count) ThrowField(blob, chunk, "index", chunk.index);
    const auto flags = LoadLe<uint32_t>(at + kFlagsAt);
    CheckFlags(flags, blob, chunk);
    std::copy_n(at + kDigestAt, chunk.digest.bytes.size(), chunk.digest.bytes.begin());
    chunk.compressed = (flags & kCompressed) != 0;
    if ((flags & kHasCrc32) != 0) chunk.crc32 = LoadLe<uint32_t>(at + kCrcAt);
    chunk.stored_size = LoadLe<uint32_t>(at + kStoredSizeAt);
    chunk.plain_size = LoadLe<uint32_t>(at + kPlainSizeAt);
    chunk.stored_offset = LoadLe<uint64_t>(at + kStoredOffsetAt);
    chunk.plain_offset = LoadLe<uint64_t>(at + kPlainOffsetAt);
    CheckPlain(blob, chunk, chunk_size);
    CheckStored(blob, chunk, chunk_size);
    if (chunk.plain_offset != kHoleOffset) {
      blob.chunks.push_back(chunk);
    } else if (!zeros) {
      zeros = {.blob = position, .chunk = chunk};
    } else {
      ThrowField(blob, chunk, "uncompressed_offset", chunk.plain_offset);
    }
  }
  for (Blob& blob : blobs) {
    std::sort(blob.chunks.begin(), blob.chunks.end(), [](const Chunk& a, const Chunk& b) { return a.index < b.index; });
    CheckOrder(blob);
  }
  return zeros;
}

std::vector<std::byte> BuildChunkTable(const std::vector<Blob>& blobs, const std::optional<ZeroChunk>& zeros) {
  struct Reference {
    const Chunk* chunk;
    uint32_t blob;
  };
  std::vector<Reference> order;
  for (uint32_t i = 0; i < blobs.size(); ++i)
    for (const Chunk& chunk : blobs[i].chunks) order.push_back({&chunk, i});
  if (zeros) order.push_back({&zeros->chunk, zeros->blob});
  std::sort(order.begin(), order.end(), [](const Reference& a, const Reference& b) {
    return std::tie(a.chunk->digest, a.blob, a.chunk->index) < std::tie(b.chunk->digest, b.blob, b.chunk->index);
  });

  std::vector<std::byte> table(order.size() * kChunkEntrySize);
  MutableBytes rest(table);
  for (const Reference& reference : order) {
    const bool encrypted = (blobs[reference.blob].features & blob_feature::kEncrypted) != 0;
    StoreEntry(*reference.chunk, reference.blob, encrypted, rest);
    rest = rest.subspan(kChunkEntrySize);
  }
  return table;
}

Digest LayoutDigest(const Blob& blob) {
  Hasher hasher(DigestAlgorithm::kSha256);
  ByteWriter head;
  head.Append<uint32_t>(static_cast<uint32_t>(blob.compression));
  head.Append<uint32_t>(static_cast<uint32_t>(blob.digester));
  head.Append<uint64_t>(blob.stored_size);
  head.Append<uint64_t>(blob.plain_size);
  hasher.Update(std::move(head).Finish());
  // The position of the blob differs between images that share it: it stays out.
  const bool encrypted = (blob.features & blob_feature::kEncrypted) != 0;
  std::array<std::byte, kChunkEntrySize> entry;
  for (const Chunk& chunk : blob.chunks) {
    StoreEntry(chunk, 0, encrypted, entry);
    hasher.Update(entry);
  }
  return hasher.Finish();
}

}  // namespace sluice::image::rafs
