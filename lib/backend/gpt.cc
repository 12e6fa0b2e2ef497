// SPDX-License-Identifier: Apache-2.0
#include "backend/gpt.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "base/limits.h"

namespace sluice::backend {
namespace {

constexpr std::string_view kSignature = "EFI PART";
constexpr uint32_t kHeaderSize = 92;
constexpr uint32_t kEntrySize = 128;  // at least; larger ones are longer at their end
constexpr size_t kCrcOffset = 16;     // of the header, in the header
constexpr size_t kNameUnits = 36;     // UTF-16
constexpr size_t kHalfId = 32;
constexpr uint64_t kMaxSector = uint64_t{INT64_MAX} / kSectorSize;

// EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, "basic data": what nydus-localdisk's old format marks its partitions with.
constexpr std::array<uint8_t, 16> kBasicData{0xA2, 0xA0, 0xD0, 0xEB, 0xE5, 0xB9, 0x33, 0x44,
                                             0x87, 0xC0, 0x68, 0xB6, 0xB7, 0x26, 0x99, 0xC7};

// CRC-32 of ISO 3309.
class Crc32 {
 public:
  void Update(ConstBytes bytes) noexcept {
    for (const std::byte b : bytes) {
      value_ ^= std::to_integer<uint32_t>(b);
      for (int bit = 0; bit < 8; ++bit) value_ = value_ >> 1 ^ (0xEDB88320u & (0 - (value_ & 1)));
    }
  }
  uint32_t value() const noexcept { return ~value_; }

 private:
  uint32_t value_ = ~uint32_t{0};
};

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// The 32 digits of a GUID as they are printed, without hyphens: its first three parts are little endian.
std::string GuidDigits(ConstBytes guid) {
  static constexpr size_t kOrder[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (const size_t at : kOrder) {
    digits += kDigits[std::to_integer<unsigned>(guid[at]) >> 4];
    digits += kDigits[std::to_integer<unsigned>(guid[at]) & 15];
  }
  return digits;
}

// The name if it is half an id; empty for all others.
std::string HalfId(ConstBytes units) {
  std::string name;
  for (size_t at = 0; at < kNameUnits; ++at) {
    const auto unit = LoadLe<uint16_t>(units.data() + 2 * at);
    if (unit == 0) break;
    if (unit > 0x7F || !IsHex(static_cast<char>(unit))) return {};
    name += static_cast<char>(unit);
  }
  return name.size() == kHalfId ? name : std::string();
}

}  // namespace

GptHeader ParseGptHeader(ConstBytes sector, std::string_view what) {
  ByteReader reader(sector, what);
  if (AsText(reader.Take(8, "signature")) != kSignature) Throw(Errc::kCorrupt, "{}: no GUID partition table", what);
  reader.Skip(4, "revision");
  const auto size = reader.Read<uint32_t>("header size");
  if (size < kHeaderSize || size > sector.size())
    Throw(Errc::kCorrupt, "{}: a partition table header of {} bytes", what, size);
  const auto crc = reader.Read<uint32_t>("checksum");
  Crc32 actual;
  actual.Update(sector.first(kCrcOffset));
  actual.Update(std::array<std::byte, 4>{});
  actual.Update(sector.subspan(kCrcOffset + 4, size - kCrcOffset - 4));
  if (crc != actual.value()) Throw(Errc::kCorrupt, "{}: wrong checksum of the partition table header", what);
  reader.Skip(4, "reserved");
  reader.Skip(8 * 4, "own place, backup, first and last sector");
  reader.Skip(16, "GUID");
  const auto entries_at = reader.Read<uint64_t>("sector of the entries");
  const auto count = reader.Read<uint32_t>("number of entries");
  const auto entry_size = reader.Read<uint32_t>("size of an entry");
  GptHeader header{.entry_size = entry_size, .entries_crc = reader.Read<uint32_t>("checksum of the entries")};
  if (entry_size < kEntrySize || entry_size % 8 != 0 || entry_size > kMaxGptEntriesBytes ||
      count > kMaxGptEntriesBytes / entry_size)
    Throw(Errc::kCorrupt, "{}: {} partition entries of {} bytes", what, count, entry_size);
  if (entries_at < 2 || entries_at > kMaxSector)
    Throw(Errc::kCorrupt, "{}: partition entries at sector {}", what, entries_at);
  header.entries_offset = entries_at * kSectorSize;
  header.entries_size = uint64_t{count} * entry_size;
  return header;
}

std::vector<BlobPartition> ParseGptEntries(const GptHeader& header, ConstBytes entries, std::string_view what) {
  Crc32 crc;
  crc.Update(entries);
  if (crc.value() != header.entries_crc) Throw(Errc::kCorrupt, "{}: wrong checksum of the partition entries", what);
  std::vector<BlobPartition> blobs;
  std::set<std::string> ids;
  for (uint64_t at = 0; at < entries.size(); at += header.entry_size) {
    ByteReader reader(Slice(entries, at, header.entry_size, what), what);
    const ConstBytes type = reader.Take(16, "type");
    if (std::all_of(type.begin(), type.end(), [](std::byte b) { return b == std::byte{0}; })) continue;  // not used
    const ConstBytes guid = reader.Take(16, "GUID");
    const auto first = reader.Read<uint64_t>("first sector");
    const auto last = reader.Read<uint64_t>("last sector");
    reader.Skip(8, "attributes");
    std::string id = HalfId(reader.Take(2 * kNameUnits, "name"));
    if (id.empty()) continue;
    const bool old = std::equal(type.begin(), type.end(), kBasicData.begin(),
                                [](std::byte a, uint8_t b) { return std::to_integer<uint8_t>(a) == b; });
    if (!old) id += GuidDigits(guid);
    if (last < first || last >= kMaxSector)
      Throw(Errc::kCorrupt, "{}: partition '{}' has sectors {} to {}", what, id, first, last);
    if (!ids.insert(id).second) Throw(Errc::kCorrupt, "{}: two partitions are blob {}", what, id);
    blobs.push_back({std::move(id), ByteRange{first * kSectorSize, (last - first + 1) * kSectorSize}});
  }
  return blobs;
}

}  // namespace sluice::backend
