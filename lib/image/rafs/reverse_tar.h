// SPDX-License-Identifier: Apache-2.0
#pragma once
// The framing of a blob's sections: each is followed (not preceded) by a 512-byte GNU tar header with its name and
// size, so that a blob can be written as a stream and taken apart from its end.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sluice::image::rafs {

constexpr uint64_t kTarHeaderSize = 512;

namespace section_name {
constexpr std::string_view kData = "image.blob";
constexpr std::string_view kChunkInfo = "blob.meta";
constexpr std::string_view kChunkInfoHeader = "blob.meta.header";
constexpr std::string_view kChunkDigests = "blob.digest";
constexpr std::string_view kBootstrap = "image.boot";
constexpr std::string_view kToc = "rafs.blob.toc";
}  // namespace section_name

struct SectionHeader {
  std::string name;
  uint64_t size = 0;  // of the section, without this header
  bool operator==(const SectionHeader&) const = default;
};

// `bytes` are kTarHeaderSize bytes.  Throws kCorrupt naming the field: magic, checksum, size, name.
SectionHeader ParseSectionHeader(ConstBytes bytes);

// `name` has at most 100 bytes, `size` is below 8 GiB (11 octal digits): else kInvalidArgument.
std::array<std::byte, kTarHeaderSize> BuildSectionHeader(std::string_view name, uint64_t size);

}  // namespace sluice::image::rafs
