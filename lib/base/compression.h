// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names of the chunk compressors; the values are those of RAFS v6 (nydus compression_algo).  The algorithms are in
// codec.

#include <cstdint>
#include <string_view>

namespace sluice {

enum class Compression : uint8_t { kNone = 0, kLz4Block = 1, kGzip = 2, kZstd = 3 };

constexpr std::string_view Name(Compression compression) noexcept {
  switch (compression) {
    case Compression::kNone: return "none";
    case Compression::kLz4Block: return "lz4";
    case Compression::kGzip: return "gzip";
    case Compression::kZstd: return "zstd";
  }
  return "unknown";
}

}  // namespace sluice
