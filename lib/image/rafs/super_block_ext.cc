// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/super_block_ext.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "image/erofs/layout.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/chunk_table.h"
#include "image/rafs/prefetch_table.h"

namespace sluice::image::rafs {
namespace {

// struct RafsV6SuperBlockExt
constexpr uint64_t kFlagsAt = 0;
constexpr uint64_t kBlobTableOffsetAt = 8;
constexpr uint64_t kBlobTableSizeAt = 16;
constexpr uint64_t kChunkSizeAt = 20;
constexpr uint64_t kChunkTableOffsetAt = 24;
constexpr uint64_t kChunkTableSizeAt = 32;
constexpr uint64_t kPrefetchTableOffsetAt = 40;
constexpr uint64_t kPrefetchTableSizeAt = 48;

constexpr struct {
  uint64_t flag;
  Compression compression;
} kCompressionFlags[] = {
    {0x1, Compression::kNone}, {0x2, Compression::kLz4Block}, {0x40, Compression::kGzip}, {0x80, Compression::kZstd}};
constexpr uint64_t kCompressionMask = 0xC3;

constexpr uint64_t kBlake3Flag = 0x4;
constexpr uint64_t kSha256Flag = 0x8;
constexpr uint64_t kDigestMask = kBlake3Flag | kSha256Flag;

Compression CompressionOfFlags(uint64_t flags) {
  for (const auto& entry : kCompressionFlags)
    if (entry.flag == (flags & kCompressionMask)) return entry.compression;
  Throw(Errc::kCorrupt, "super block extension: field 's_flags' is {:#x}, it does not name one compressor", flags);
}

DigestAlgorithm DigesterOfFlags(uint64_t flags) {
  switch (flags & kDigestMask) {
    case kBlake3Flag: return DigestAlgorithm::kBlake3;
    case kSha256Flag: return DigestAlgorithm::kSha256;
    default: break;
  }
  Throw(Errc::kCorrupt, "super block extension: field 's_flags' is {:#x}, it does not name one digester", flags);
}

uint64_t FlagsOf(const SuperBlockExt& super) {
  uint64_t flags = super.flags & ~(kCompressionMask | kDigestMask);
  for (const auto& entry : kCompressionFlags)
    if (entry.compression == super.compression) flags |= entry.flag;
  return flags | (super.digester == DigestAlgorithm::kBlake3 ? kBlake3Flag : kSha256Flag);
}

void CheckTable(const ByteRange& table, std::string_view name, uint64_t entry_size, uint64_t alignment,
                ConstBytes bootstrap) {
  if (table.length % entry_size != 0 || !IsAligned(table.offset, alignment))
    Throw(Errc::kCorrupt, "{} table: {} bytes at offset {} are not aligned whole entries of {} bytes", name,
          table.length, table.offset, entry_size);
  Slice(bootstrap, table.offset, table.length, name);
  if (!table.empty() && table.offset < kSuperBlockExtOffset + kSuperBlockExtSize)
    Throw(Errc::kCorrupt, "{} table: offset {} lies inside the super blocks", name, table.offset);
}

void CheckDisjoint(const ByteRange& a, std::string_view a_name, const ByteRange& b, std::string_view b_name) {
  if (a.empty() || b.empty() || a.end() <= b.offset || b.end() <= a.offset) return;
  Throw(Errc::kCorrupt, "{} table at [{}, {}) overlaps {} table at [{}, {})", a_name, a.offset, a.end(), b_name,
        b.offset, b.end());
}

}  // namespace

SuperBlockExt ParseSuperBlockExt(ConstBytes bootstrap) {
  const std::byte* at = Slice(bootstrap, kSuperBlockExtOffset, kSuperBlockExtSize, "super block extension").data();
  SuperBlockExt super;
  super.flags = LoadLe<uint64_t>(at + kFlagsAt);
  super.compression = CompressionOfFlags(super.flags);
  super.digester = DigesterOfFlags(super.flags);
  if ((super.flags & super_flag::kTarfs) != 0)
    Throw(Errc::kUnsupported, "super block extension: field 's_flags' is {:#x}, a tarfs image", super.flags);
  super.chunk_size = LoadLe<uint32_t>(at + kChunkSizeAt);
  if (!std::has_single_bit(super.chunk_size) || super.chunk_size < kMinChunkSize || super.chunk_size > kMaxChunkSize)
    Throw(Errc::kCorrupt, "super block extension: field 's_chunk_size' is {}, no power of two in [{}, {}]",
          super.chunk_size, kMinChunkSize, kMaxChunkSize);
  super.blob_table = {LoadLe<uint64_t>(at + kBlobTableOffsetAt), LoadLe<uint32_t>(at + kBlobTableSizeAt)};
  super.chunk_table = {LoadLe<uint64_t>(at + kChunkTableOffsetAt), LoadLe<uint64_t>(at + kChunkTableSizeAt)};
  super.prefetch_table = {LoadLe<uint64_t>(at + kPrefetchTableOffsetAt), LoadLe<uint32_t>(at + kPrefetchTableSizeAt)};
  CheckTable(super.blob_table, "blob", kBlobEntrySize, kBlockSize, bootstrap);
  CheckTable(super.chunk_table, "chunk", kChunkEntrySize, kBlockSize, bootstrap);
  CheckTable(super.prefetch_table, "prefetch", kPrefetchEntrySize, kPrefetchEntrySize, bootstrap);
  CheckDisjoint(super.blob_table, "blob", super.chunk_table, "chunk");
  CheckDisjoint(super.blob_table, "blob", super.prefetch_table, "prefetch");
  CheckDisjoint(super.chunk_table, "chunk", super.prefetch_table, "prefetch");
  return super;
}

void StoreSuperBlockExt(const SuperBlockExt& super, MutableBytes bootstrap) {
  const MutableBytes to = bootstrap.subspan(kSuperBlockExtOffset, kSuperBlockExtSize);
  std::fill(to.begin(), to.end(), std::byte{0});
  std::byte* at = to.data();
  StoreLe<uint64_t>(at + kFlagsAt, FlagsOf(super));
  StoreLe<uint64_t>(at + kBlobTableOffsetAt, super.blob_table.offset);
  StoreLe<uint32_t>(at + kBlobTableSizeAt, static_cast<uint32_t>(super.blob_table.length));
  StoreLe<uint32_t>(at + kChunkSizeAt, super.chunk_size);
  StoreLe<uint64_t>(at + kChunkTableOffsetAt, super.chunk_table.offset);
  StoreLe<uint64_t>(at + kChunkTableSizeAt, super.chunk_table.length);
  StoreLe<uint64_t>(at + kPrefetchTableOffsetAt, super.prefetch_table.offset);
  StoreLe<uint32_t>(at + kPrefetchTableSizeAt, static_cast<uint32_t>(super.prefetch_table.length));
}

}  // namespace sluice::image::rafs
