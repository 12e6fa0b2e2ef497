// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/blob_meta.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "image/rafs/blob_table.h"

namespace sluice::image::rafs {
namespace {

// struct BlobCompressionContextHeader
constexpr uint32_t kMagic = 0xB10BB10B;
constexpr uint64_t kMagicAt = 0;
constexpr uint64_t kFeaturesAt = 4;
constexpr uint64_t kCompressionAt = 8;
constexpr uint64_t kEntriesAt = 12;
constexpr uint64_t kOffsetAt = 16;
constexpr uint64_t kStoredSizeAt = 24;
constexpr uint64_t kPlainSizeAt = 32;
constexpr uint64_t kContextOffsetAt = 40;
constexpr uint64_t kContextSizeAt = 48;
constexpr uint64_t kContextCountAt = 56;
constexpr uint64_t kMagic2At = 4092;

// BlobChunkInfoV1Ondisk: sizes minus one in 24 bits, split in two; BlobChunkInfoV2Ondisk
constexpr uint64_t kPlainInfoAt = 0;
constexpr uint64_t kStoredInfoAt = 8;
constexpr uint64_t kDataAt = 16;
constexpr unsigned kOffsetBits = 40;  // of a stored offset
constexpr uint64_t kOffsetMask = (uint64_t{1} << kOffsetBits) - 1;
constexpr uint64_t kSizeMask = 0xFFFFFF;
constexpr uint64_t kV1PlainOffsetMask = 0xFFFFFFFF000;
constexpr unsigned kV1SizeLowBits = 20;
constexpr uint64_t kV1SizeLowMask = (uint64_t{1} << kV1SizeLowBits) - 1;
constexpr unsigned kV1SizeLowShift = 44;
constexpr unsigned kV1PlainSizeHighShift = 8;
constexpr unsigned kV1StoredSizeHighShift = 40;
constexpr uint64_t kV1SizeHighMask = 0xF;
constexpr unsigned kV2PlainSizeShift = 32;
constexpr unsigned kV2FlagsShift = 56;
constexpr uint8_t kV2Compressed = 0x1;
constexpr uint8_t kV2Zran = 0x2;
constexpr uint8_t kV2Batch = 0x4;
constexpr uint8_t kV2Encrypted = 0x8;
constexpr uint8_t kV2HasCrc32 = 0x10;
constexpr uint8_t kV2KnownFlags = 0x1F;

// ZranInflateContext; BatchInflateContext has its two sizes at the start.
constexpr uint64_t kZranStoredOffsetAt = 0;
constexpr uint64_t kZranPlainOffsetAt = 8;
constexpr uint64_t kZranDictionaryOffsetAt = 16;
constexpr uint64_t kZranStoredSizeAt = 24;
constexpr uint64_t kZranPlainSizeAt = 28;
constexpr uint64_t kZranDictionarySizeAt = 32;
constexpr uint64_t kZranByteAt = 36;
constexpr uint64_t kZranBitsAt = 37;
constexpr uint64_t kMaxZranDictionary = 32 * kKiB;  // the window of deflate
constexpr uint64_t kBatchStoredSizeAt = 0;
constexpr uint64_t kBatchPlainSizeAt = 4;

uint32_t JoinV1Size(uint64_t info, unsigned high_shift) noexcept {
  const uint64_t low = info >> kV1SizeLowShift & kV1SizeLowMask;
  const uint64_t high = info >> high_shift & kV1SizeHighMask;
  return static_cast<uint32_t>(high << kV1SizeLowBits | low) + 1;
}

uint64_t SplitV1Size(uint32_t size, unsigned high_shift) noexcept {
  const uint64_t value = size - 1;
  return (value & kV1SizeLowMask) << kV1SizeLowShift | value >> kV1SizeLowBits << high_shift;
}

ChunkInfo ParseV1(const std::byte* at) {
  const auto plain = LoadLe<uint64_t>(at + kPlainInfoAt);
  const auto stored = LoadLe<uint64_t>(at + kStoredInfoAt);
  ChunkInfo info;
  info.plain_offset = plain & kV1PlainOffsetMask;
  info.plain_size = JoinV1Size(plain, kV1PlainSizeHighShift);
  info.stored_offset = stored & kOffsetMask;
  info.stored_size = JoinV1Size(stored, kV1StoredSizeHighShift);
  info.compressed = info.stored_size != info.plain_size;
  return info;
}

ChunkInfo ParseV2(const std::byte* at, std::string_view blob, uint32_t index) {
  const auto plain = LoadLe<uint64_t>(at + kPlainInfoAt);
  const auto stored = LoadLe<uint64_t>(at + kStoredInfoAt);
  const auto data = LoadLe<uint64_t>(at + kDataAt);
  const auto flags = static_cast<uint8_t>(plain >> kV2FlagsShift);
  ChunkInfo info;
  info.plain_offset = (plain & UINT32_MAX) * kBlockSize;
  info.plain_size = static_cast<uint32_t>(plain >> kV2PlainSizeShift & kSizeMask) + 1;
  info.stored_offset = stored & kOffsetMask;
  info.stored_size = static_cast<uint32_t>(stored >> kOffsetBits);
  info.compressed = (flags & kV2Compressed) != 0;
  info.encrypted = (flags & kV2Encrypted) != 0;
  const bool in_context = (flags & (kV2Zran | kV2Batch)) != 0;
  const bool two_kinds = (flags & kV2Zran) != 0 && (flags & kV2Batch) != 0;
  if ((flags & ~kV2KnownFlags) != 0 || two_kinds || (in_context && (flags & kV2HasCrc32) != 0))
    Throw(Errc::kCorrupt, "blob meta '{}': chunk {}: field 'flags' is {:#x}", blob, index, flags);
  if (in_context) {
    info.kind = (flags & kV2Zran) != 0 ? ChunkInfo::Kind::kZran : ChunkInfo::Kind::kBatch;
    info.context = static_cast<uint32_t>(data >> 32);
    info.offset_in_context = static_cast<uint32_t>(data);
  } else if ((flags & kV2HasCrc32) != 0) {
    info.crc32 = static_cast<uint32_t>(data);
  }
  return info;
}

std::vector<ZranContext> ParseZranContexts(const BlobMetaHeader& header, ConstBytes contexts, std::string_view blob) {
  std::vector<ZranContext> parsed;
  const ConstBytes dictionaries = contexts.subspan(header.context_count * kInflateContextSize);
  for (uint32_t i = 0; i < header.context_count; ++i) {
    const std::byte* at = contexts.data() + i * kInflateContextSize;
    ZranContext context;
    context.stored = {LoadLe<uint64_t>(at + kZranStoredOffsetAt), LoadLe<uint32_t>(at + kZranStoredSizeAt)};
    context.plain = {LoadLe<uint64_t>(at + kZranPlainOffsetAt), LoadLe<uint32_t>(at + kZranPlainSizeAt)};
    if (context.stored.offset > kMaxStoredBlobSize || context.plain.offset > kMaxPlainBlobSize)
      Throw(Errc::kCorrupt, "blob meta '{}': zran context {}: fields 'in_offset' {} and 'out_offset' {} are too large",
            blob, i, context.stored.offset, context.plain.offset);
    const auto dictionary_size = LoadLe<uint32_t>(at + kZranDictionarySizeAt);
    if (dictionary_size > kMaxZranDictionary)
      Throw(Errc::kCorrupt, "blob meta '{}': zran context {}: field 'dict_size' is {}", blob, i, dictionary_size);
    context.dictionary =
        Slice(dictionaries, LoadLe<uint64_t>(at + kZranDictionaryOffsetAt), dictionary_size, "zran dictionary");
    context.first_byte = LoadLe<uint8_t>(at + kZranByteAt);
    context.first_bits = LoadLe<uint8_t>(at + kZranBitsAt);
    if (context.first_bits > 7)
      Throw(Errc::kCorrupt, "blob meta '{}': zran context {}: field 'ctx_bits' is {}", blob, i, context.first_bits);
    parsed.push_back(context);
  }
  return parsed;
}

std::vector<BatchContext> ParseBatchContexts(const BlobMetaHeader& header, ConstBytes contexts) {
  std::vector<BatchContext> parsed;
  for (uint32_t i = 0; i < header.context_count; ++i) {
    const std::byte* at = contexts.data() + i * kInflateContextSize;
    parsed.push_back({.stored_size = LoadLe<uint32_t>(at + kBatchStoredSizeAt),
                      .plain_size = LoadLe<uint32_t>(at + kBatchPlainSizeAt)});
  }
  return parsed;
}

void CheckChunk(const BlobMeta& meta, const ChunkInfo& info, uint32_t index, std::string_view blob) {
  if (info.plain_size > kMaxChunkSize || !IsAligned(info.plain_offset, kBlockSize))
    Throw(Errc::kCorrupt, "blob meta '{}': chunk {} has {} plain bytes at {}", blob, index, info.plain_size,
          info.plain_offset);
  if (!meta.chunks.empty()) {
    const ChunkInfo& before = meta.chunks.back();
    if (info.plain_offset < AlignUp(before.plain_offset + before.plain_size, kBlockSize))
      Throw(Errc::kCorrupt, "blob meta '{}': chunk {} at plain offset {} overlaps the one before it", blob, index,
            info.plain_offset);
  }
  if (info.kind == ChunkInfo::Kind::kPlain) {
    if (info.stored_size == 0)
      Throw(Errc::kCorrupt, "blob meta '{}': chunk {}: field 'compressed_size' is 0", blob, index);
    return;
  }
  const bool zran = info.kind == ChunkInfo::Kind::kZran;
  const uint64_t contexts = zran ? meta.zran.size() : meta.batches.size();
  if (info.context >= contexts)
    Throw(Errc::kCorrupt, "blob meta '{}': chunk {}: context {} is not below {}", blob, index, info.context, contexts);
  const uint64_t inflated = zran ? meta.zran[info.context].plain.length : meta.batches[info.context].plain_size;
  if (uint64_t{info.offset_in_context} + info.plain_size > inflated)
    Throw(Errc::kCorrupt, "blob meta '{}': chunk {}: {} bytes at {} lie outside of context {} with {}", blob, index,
          info.plain_size, info.offset_in_context, info.context, inflated);
}

// What both versions can express; V1 sizes are 1 to 2^24.
void CheckExpressible(const Chunk& chunk) {
  if (chunk.plain_size == 0 || chunk.plain_size > kMaxChunkSize || chunk.plain_offset > kMaxPlainBlobSize ||
      !IsAligned(chunk.plain_offset, kBlockSize))
    Throw(Errc::kInvalidArgument, "chunk {}: {} plain bytes at {} do not fit in a chunk info", chunk.index,
          chunk.plain_size, chunk.plain_offset);
  if (chunk.stored_size == 0 || chunk.stored_size > kMaxChunkSize || chunk.stored_offset > kOffsetMask)
    Throw(Errc::kInvalidArgument, "chunk {}: {} stored bytes at {} do not fit in a chunk info", chunk.index,
          chunk.stored_size, chunk.stored_offset);
}

}  // namespace

BlobMetaHeader ParseBlobMetaHeader(ConstBytes bytes, std::string_view blob) {
  const std::byte* at = Slice(bytes, 0, kBlobMetaHeaderSize, "blob meta header").data();
  for (const uint64_t magic_at : {kMagicAt, kMagic2At})
    if (const auto magic = LoadLe<uint32_t>(at + magic_at); magic != kMagic)
      Throw(Errc::kCorrupt, "blob meta '{}': magic at byte {} of the header is {:#x} instead of {:#x}", blob, magic_at,
            magic, kMagic);
  BlobMetaHeader header;
  header.features = LoadLe<uint32_t>(at + kFeaturesAt);
  const auto compression = LoadLe<uint32_t>(at + kCompressionAt);
  if (compression > static_cast<uint32_t>(Compression::kZstd))
    Throw(Errc::kCorrupt, "blob meta '{}': field 'ci_compressor' is {}", blob, compression);
  header.ci_compression = static_cast<Compression>(compression);
  header.chunk_count = LoadLe<uint32_t>(at + kEntriesAt);
  if (header.chunk_count > kMaxChunksPerBlob)
    Throw(Errc::kCorrupt, "blob meta '{}': field 'ci_entries' is {}", blob, header.chunk_count);
  header.ci_offset = LoadLe<uint64_t>(at + kOffsetAt);
  header.ci_stored_size = LoadLe<uint64_t>(at + kStoredSizeAt);
  header.ci_plain_size = LoadLe<uint64_t>(at + kPlainSizeAt);
  const uint64_t entries_size = header.chunk_count * header.entry_size();
  if (header.ci_stored_size > header.ci_plain_size || header.ci_plain_size > kMaxChunkInfoSize ||
      header.ci_plain_size < entries_size)
    Throw(Errc::kCorrupt, "blob meta '{}': fields 'ci_compressed_size' {} and 'ci_uncompressed_size' {} of {} chunks",
          blob, header.ci_stored_size, header.ci_plain_size, header.chunk_count);
  header.context_offset = LoadLe<uint64_t>(at + kContextOffsetAt);
  header.context_size = LoadLe<uint64_t>(at + kContextSizeAt);
  header.context_count = LoadLe<uint32_t>(at + kContextCountAt);
  if (header.context_count != 0 &&
      (header.context_offset < entries_size || header.context_offset > header.ci_plain_size ||
       header.context_size > header.ci_plain_size - header.context_offset ||
       header.context_count > header.context_size / kInflateContextSize))
    Throw(Errc::kCorrupt, "blob meta '{}': {} contexts in {} bytes at {} lie outside of {} bytes", blob,
          header.context_count, header.context_size, header.context_offset, header.ci_plain_size);
  return header;
}

std::vector<std::byte> BuildBlobMetaHeader(const BlobMetaHeader& header) {
  std::vector<std::byte> bytes(kBlobMetaHeaderSize);
  std::byte* at = bytes.data();
  StoreLe<uint32_t>(at + kMagicAt, kMagic);
  StoreLe<uint32_t>(at + kFeaturesAt, header.features);
  StoreLe<uint32_t>(at + kCompressionAt, static_cast<uint32_t>(header.ci_compression));
  StoreLe<uint32_t>(at + kEntriesAt, header.chunk_count);
  StoreLe<uint64_t>(at + kOffsetAt, header.ci_offset);
  StoreLe<uint64_t>(at + kStoredSizeAt, header.ci_stored_size);
  StoreLe<uint64_t>(at + kPlainSizeAt, header.ci_plain_size);
  StoreLe<uint64_t>(at + kContextOffsetAt, header.context_offset);
  StoreLe<uint64_t>(at + kContextSizeAt, header.context_size);
  StoreLe<uint32_t>(at + kContextCountAt, header.context_count);
  StoreLe<uint32_t>(at + kMagic2At, kMagic);
  return bytes;
}

BlobMeta ParseBlobMeta(const BlobMetaHeader& header, ConstBytes chunk_info, std::string_view blob) {
  chunk_info = Slice(chunk_info, 0, header.ci_plain_size, "blob meta");
  BlobMeta meta{.header = header};
  if (header.context_count != 0) {
    const ConstBytes contexts = Slice(chunk_info, header.context_offset, header.context_size, "blob meta contexts");
    if ((header.features & blob_feature::kZran) != 0) meta.zran = ParseZranContexts(header, contexts, blob);
    if ((header.features & blob_feature::kBatch) != 0) meta.batches = ParseBatchContexts(header, contexts);
  }
  const bool v2 = (header.features & blob_feature::kChunkInfoV2) != 0;
  meta.chunks.reserve(header.chunk_count);
  for (uint32_t i = 0; i < header.chunk_count; ++i) {
    const ConstBytes entry = Slice(chunk_info, i * header.entry_size(), header.entry_size(), "blob meta entry");
    const ChunkInfo info = v2 ? ParseV2(entry.data(), blob, i) : ParseV1(entry.data());
    CheckChunk(meta, info, i, blob);
    meta.chunks.push_back(info);
  }
  return meta;
}

std::vector<std::byte> BuildChunkInfoV1(std::span<const Chunk> chunks) {
  ByteWriter writer;
  for (const Chunk& chunk : chunks) {
    CheckExpressible(chunk);
    // V1 has no flag: a chunk is compressed when its sizes differ.
    if (chunk.compressed != (chunk.stored_size != chunk.plain_size))
      Throw(Errc::kInvalidArgument, "chunk {}: {} stored and {} plain bytes do not tell whether it is compressed",
            chunk.index, chunk.stored_size, chunk.plain_size);
    writer.Append<uint64_t>(chunk.plain_offset | SplitV1Size(chunk.plain_size, kV1PlainSizeHighShift));
    writer.Append<uint64_t>(chunk.stored_offset | SplitV1Size(chunk.stored_size, kV1StoredSizeHighShift));
  }
  return std::move(writer).Finish();
}

std::vector<std::byte> BuildChunkInfoV2(std::span<const Chunk> chunks) {
  ByteWriter writer;
  for (const Chunk& chunk : chunks) {
    CheckExpressible(chunk);
    if (chunk.stored_size > kSizeMask)
      Throw(Errc::kInvalidArgument, "chunk {}: {} stored bytes do not fit in a chunk info", chunk.index,
            chunk.stored_size);
    const uint64_t flags = (chunk.compressed ? kV2Compressed : 0) | (chunk.crc32 ? kV2HasCrc32 : 0);
    writer.Append<uint64_t>(chunk.plain_offset / kBlockSize | uint64_t{chunk.plain_size - 1} << kV2PlainSizeShift |
                            flags << kV2FlagsShift);
    writer.Append<uint64_t>(chunk.stored_offset | uint64_t{chunk.stored_size} << kOffsetBits);
    writer.Append<uint64_t>(chunk.crc32.value_or(0));
  }
  return std::move(writer).Finish();
}

}  // namespace sluice::image::rafs
