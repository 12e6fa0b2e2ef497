// SPDX-License-Identifier: Apache-2.0
#include "oci/tar_writer.h"

#include <fmt/core.h>

#include <cstring>

#include "base/error.h"

namespace sluice::oci {
namespace {

constexpr uint64_t kMaxOctalSize = (uint64_t{1} << 33) - 1;  // eleven digits

}  // namespace

// POSIX.1-2017, pax, "ustar Interchange Format".
std::array<std::byte, kTarBlock> TarHeader(std::string_view name, TarMemberType type, uint16_t permissions,
                                           uint64_t size) {
  if (name.empty() || name.size() > 100) Throw(Errc::kInvalidArgument, "tar member name of {} bytes", name.size());
  std::array<std::byte, kTarBlock> header{};
  const auto put = [&header](size_t offset, std::string_view text) {
    std::memcpy(header.data() + offset, text.data(), text.size());
  };
  put(0, name);
  put(100, fmt::format("{:07o}", permissions));
  put(108, "0000000");  // uid
  put(116, "0000000");  // gid
  if (size <= kMaxOctalSize) {
    put(124, fmt::format("{:011o}", size));
  } else {
    header[124] = std::byte{0x80};
    for (size_t i = 0; i < 8; ++i) header[124 + 11 - i] = static_cast<std::byte>(size >> 8 * i);
  }
  put(136, "00000000000");  // mtime
  put(148, "        ");     // the checksum counts as spaces
  header[156] = static_cast<std::byte>(type);
  put(257, std::string_view("ustar\00000", 8));
  put(329, "0000000");  // device numbers
  put(337, "0000000");
  unsigned sum = 0;
  for (const std::byte b : header) sum += std::to_integer<unsigned>(b);
  put(148, fmt::format("{:06o}", sum));
  header[154] = std::byte{0};
  return header;
}

void TarWriter::AddDirectory(std::string_view name, uint16_t permissions) {
  sink_.Write(TarHeader(name, TarMemberType::kDirectory, permissions, 0));
}

void TarWriter::AddFile(std::string_view name, uint16_t permissions, ConstBytes content) {
  static constexpr std::array<std::byte, kTarBlock> kZeros{};
  sink_.Write(TarHeader(name, TarMemberType::kFile, permissions, content.size()));
  if (!content.empty()) sink_.Write(content);
  const uint64_t padding = AlignUp(content.size(), kTarBlock) - content.size();
  if (padding > 0) sink_.Write(ConstBytes(kZeros).first(padding));
}

void TarWriter::Finish() {
  static constexpr std::array<std::byte, 2 * kTarBlock> kZeros{};
  sink_.Write(kZeros);
}

}  // namespace sluice::oci
