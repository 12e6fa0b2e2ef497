// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/toc.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "image/rafs/reverse_tar.h"

namespace sluice::image::rafs {
namespace {

// struct TocEntry
constexpr uint64_t kFlagsAt = 0;
constexpr uint64_t kNameAt = 8;
constexpr uint64_t kNameSize = 16;
constexpr uint64_t kDigestAt = 24;
constexpr uint64_t kStoredOffsetAt = 56;
constexpr uint64_t kStoredSizeAt = 64;
constexpr uint64_t kPlainSizeAt = 72;

constexpr uint32_t kFlagNone = 0x1;
constexpr uint32_t kFlagZstd = 0x2;
constexpr uint32_t kFlagLz4 = 0x4;
constexpr uint32_t kFlagMask = 0xF;

Compression CompressionOfFlags(uint32_t flags, std::string_view name) {
  switch (flags & kFlagMask) {
    case kFlagNone: return Compression::kNone;
    case kFlagZstd: return Compression::kZstd;
    case kFlagLz4: return Compression::kLz4Block;
    default: Throw(Errc::kCorrupt, "table of contents: entry '{}': field 'flags' is {:#x}", name, flags);
  }
}

uint32_t FlagsOf(Compression compression, std::string_view name) {
  switch (compression) {
    case Compression::kNone: return kFlagNone;
    case Compression::kZstd: return kFlagZstd;
    case Compression::kLz4Block: return kFlagLz4;
    case Compression::kGzip: break;
  }
  Throw(Errc::kInvalidArgument, "table of contents: entry '{}' cannot be {}", name, Name(compression));
}

// The tar header at the very end of the blob; nullopt when it ends with something else.
std::optional<SectionHeader> LastSection(ConstBytes tail, uint64_t blob_size) {
  if (tail.size() < kTarHeaderSize || blob_size < kTarHeaderSize) return std::nullopt;
  const ConstBytes header = tail.last(kTarHeaderSize);
  const auto is = [&header](std::string_view name) { return AsText(header).starts_with(name); };
  if (!is(section_name::kToc) && !is(section_name::kBootstrap)) return std::nullopt;
  return ParseSectionHeader(header);
}

TocEntry ParseEntry(ConstBytes bytes, uint64_t sections_end) {
  TocEntry entry;
  const std::string_view name = AsText(bytes.subspan(kNameAt, kNameSize));
  entry.name = name.substr(0, name.find('\0'));
  entry.compression = CompressionOfFlags(LoadLe<uint32_t>(bytes.data() + kFlagsAt), entry.name);
  std::copy_n(bytes.begin() + kDigestAt, entry.plain_digest.bytes.size(), entry.plain_digest.bytes.begin());
  entry.stored = {LoadLe<uint64_t>(bytes.data() + kStoredOffsetAt), LoadLe<uint64_t>(bytes.data() + kStoredSizeAt)};
  entry.plain_size = LoadLe<uint64_t>(bytes.data() + kPlainSizeAt);
  // The data section is known from the bootstrap; its offset here is not reliable.
  const uint64_t offset = entry.name == section_name::kData ? 0 : entry.stored.offset;
  if (offset > sections_end || entry.stored.length > sections_end - offset)
    Throw(Errc::kCorrupt, "table of contents: entry '{}': {} bytes at {} lie outside of {} bytes", entry.name,
          entry.stored.length, offset, sections_end);
  return entry;
}

}  // namespace

const TocEntry* Toc::Find(std::string_view name) const noexcept {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [name](const TocEntry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

std::optional<Toc> ParseToc(ConstBytes tail, uint64_t blob_size) {
  const std::optional<SectionHeader> section = LastSection(tail, blob_size);
  if (!section || section->name != section_name::kToc) return std::nullopt;
  if (section->size > kMaxTocSize - kTarHeaderSize)
    Throw(Errc::kLimit, "table of contents of {} bytes is above {}", section->size, kMaxTocSize - kTarHeaderSize);
  const uint64_t size = section->size + kTarHeaderSize;
  if (size > tail.size() || size > blob_size || section->size % kTocEntrySize != 0 || section->size == 0)
    Throw(Errc::kCorrupt, "table of contents: {} bytes are no whole entries at the end of a blob of {}", section->size,
          blob_size);
  const ConstBytes bytes = tail.last(size);
  Toc toc{.entries = {}, .size = size, .digest = DigestOf(DigestAlgorithm::kSha256, bytes)};
  for (uint64_t at = 0; at < section->size; at += kTocEntrySize) {
    TocEntry entry = ParseEntry(bytes.subspan(at, kTocEntrySize), blob_size - size);
    if (toc.Find(entry.name) != nullptr)
      Throw(Errc::kCorrupt, "table of contents: entry '{}' appears twice", entry.name);
    toc.entries.push_back(std::move(entry));
  }
  return toc;
}

std::vector<std::byte> BuildToc(const std::vector<TocEntry>& entries) {
  const uint64_t size = entries.size() * kTocEntrySize;
  if (entries.empty() || size > kMaxTocSize - kTarHeaderSize)
    Throw(Errc::kInvalidArgument, "table of contents: {} entries", entries.size());
  std::vector<std::byte> bytes(size);
  std::byte* at = bytes.data();
  for (const TocEntry& entry : entries) {
    if (entry.name.empty() || entry.name.size() > kNameSize)
      Throw(Errc::kInvalidArgument, "table of contents: name '{}' is not within 1 to {} bytes", entry.name, kNameSize);
    StoreLe<uint32_t>(at + kFlagsAt, FlagsOf(entry.compression, entry.name));
    std::copy_n(AsBytes(entry.name).begin(), entry.name.size(), at + kNameAt);
    std::copy(entry.plain_digest.bytes.begin(), entry.plain_digest.bytes.end(), at + kDigestAt);
    StoreLe<uint64_t>(at + kStoredOffsetAt, entry.stored.offset);
    StoreLe<uint64_t>(at + kStoredSizeAt, entry.stored.length);
    StoreLe<uint64_t>(at + kPlainSizeAt, entry.plain_size);
    at += kTocEntrySize;
  }
  const auto header = BuildSectionHeader(section_name::kToc, size);
  bytes.insert(bytes.end(), header.begin(), header.end());
  return bytes;
}

InlinedBootstrap FindInlinedBootstrap(ConstBytes tail, uint64_t blob_size) {
  InlinedBootstrap found;
  if (const std::optional<Toc> toc = ParseToc(tail, blob_size)) {
    const TocEntry* entry = toc->Find(section_name::kBootstrap);
    if (entry == nullptr) Throw(Errc::kNotFound, "the table of contents names no '{}'", section_name::kBootstrap);
    found = {.stored = entry->stored,
             .compression = entry->compression,
             .plain_size = entry->plain_size,
             .plain_digest = entry->plain_digest};
  } else if (const std::optional<SectionHeader> section = LastSection(tail, blob_size)) {
    // Without a table of contents the bootstrap ends the blob, uncompressed.
    if (section->size > blob_size - kTarHeaderSize)
      Throw(Errc::kCorrupt, "section '{}' of {} bytes does not fit in a blob of {}", section->name, section->size,
            blob_size);
    found.stored = {blob_size - kTarHeaderSize - section->size, section->size};
    found.plain_size = section->size;
  } else {
    Throw(Errc::kNotFound, "the blob ends with neither a table of contents nor a bootstrap");
  }
  if (found.plain_size > kMaxBootstrapSize || found.stored.length > kMaxBootstrapSize)
    Throw(Errc::kLimit, "inlined bootstrap of {} stored and {} plain bytes is above {}", found.stored.length,
          found.plain_size, kMaxBootstrapSize);
  if (found.compression == Compression::kNone && found.plain_size != found.stored.length)
    Throw(Errc::kCorrupt, "inlined bootstrap: {} stored and {} plain bytes without compression", found.stored.length,
          found.plain_size);
  return found;
}

std::vector<ByteRange> BlobIdRanges(uint64_t blob_size, const std::optional<Toc>& toc) {
  const TocEntry* digests = toc ? toc->Find(section_name::kChunkDigests) : nullptr;
  if (digests == nullptr) return {{0, blob_size}};
  return {{0, digests->stored.offset}, {digests->stored.end(), blob_size - digests->stored.end()}};
}

}  // namespace sluice::image::rafs
