// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/reverse_tar.h"

#include <algorithm>

#include "base/error.h"

namespace sluice::image::rafs {
namespace {

// The old GNU header (gnu.org/software/tar/manual, "Basic Tar Format"), filled as the Rust tar crate does for nydus.
constexpr uint64_t kNameAt = 0;
constexpr uint64_t kNameSize = 100;
constexpr uint64_t kSizeAt = 124;
constexpr uint64_t kSizeDigits = 11;
constexpr uint64_t kMtimeAt = 136;
constexpr uint64_t kMtimeDigits = 11;
constexpr uint64_t kChecksumAt = 148;
constexpr uint64_t kChecksumSize = 8;
constexpr uint64_t kChecksumDigits = 7;
constexpr uint64_t kTypeAt = 156;
constexpr char kTypeRegular = '0';
constexpr uint64_t kMagicAt = 257;
constexpr std::string_view kMagic = "ustar  ";  // and a NUL

// The sum of all bytes, those of the checksum itself taken as spaces.
uint32_t Checksum(ConstBytes header) {
  uint32_t sum = kChecksumSize * ' ';
  for (uint64_t i = 0; i < kTarHeaderSize; ++i)
    if (i < kChecksumAt || i >= kChecksumAt + kChecksumSize) sum += std::to_integer<uint32_t>(header[i]);
  return sum;
}

// Octal digits, ended by NUL, space or the end of the field.
uint64_t ParseOctal(std::string_view digits, std::string_view field) {
  digits = digits.substr(0, digits.find_first_of(std::string_view("\0 ", 2)));
  if (digits.empty() || digits.find_first_not_of("01234567") != digits.npos)
    Throw(Errc::kCorrupt, "section header: field '{}' is not octal", field);
  uint64_t value = 0;
  for (const char digit : digits) value = value << 3 | static_cast<uint64_t>(digit - '0');
  return value;
}

void StoreOctal(uint64_t value, std::byte* last, uint64_t digits) {
  for (; digits != 0; --digits, value >>= 3) *last-- = static_cast<std::byte>('0' + (value & 7));
}

}  // namespace

SectionHeader ParseSectionHeader(ConstBytes bytes) {
  const ConstBytes header = Slice(bytes, 0, kTarHeaderSize, "section header");
  const std::string_view text = AsText(header);
  if (text.substr(kMagicAt, kMagic.size()) != kMagic)
    Throw(Errc::kCorrupt, "section header: field 'magic' is not that of GNU tar");
  if (const uint64_t sum = ParseOctal(text.substr(kChecksumAt, kChecksumSize), "chksum"); sum != Checksum(header))
    Throw(Errc::kCorrupt, "section header: field 'chksum' is {}, the bytes sum up to {}", sum, Checksum(header));
  if (text[kTypeAt] != kTypeRegular)
    Throw(Errc::kCorrupt, "section header: field 'typeflag' is {}", static_cast<int>(text[kTypeAt]));
  const std::string_view name = text.substr(kNameAt, kNameSize);
  return {.name = std::string(name.substr(0, name.find('\0'))),
          .size = ParseOctal(text.substr(kSizeAt, kSizeDigits), "size")};
}

std::array<std::byte, kTarHeaderSize> BuildSectionHeader(std::string_view name, uint64_t size) {
  if (name.empty() || name.size() > kNameSize)
    Throw(Errc::kInvalidArgument, "section name of {} bytes is not within 1 to {}", name.size(), kNameSize);
  if (size >> (3 * kSizeDigits) != 0)
    Throw(Errc::kInvalidArgument, "section '{}' of {} bytes does not fit in {} octal digits", name, size, kSizeDigits);
  std::array<std::byte, kTarHeaderSize> header{};
  std::copy_n(AsBytes(name).begin(), name.size(), header.begin() + kNameAt);
  std::copy_n(AsBytes(kMagic).begin(), kMagic.size(), header.begin() + kMagicAt);
  header[kTypeAt] = std::byte{kTypeRegular};
  StoreOctal(size, &header[kSizeAt + kSizeDigits - 1], kSizeDigits);
  StoreOctal(0, &header[kMtimeAt + kMtimeDigits - 1], kMtimeDigits);
  StoreOctal(Checksum(header), &header[kChecksumAt + kChecksumDigits - 1], kChecksumDigits);
  return header;
}

}  // namespace sluice::image::rafs
