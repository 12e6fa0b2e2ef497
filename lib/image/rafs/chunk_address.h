// SPDX-License-Identifier: Apache-2.0
#pragma once
// What RAFS v6 puts into an EROFS chunk index: blob, 24-bit chunk index and block.

#include <cstdint>

#include "image/erofs/chunk_index.h"

namespace sluice::image::rafs {

// `chunk` is Chunk::index: its low 16 bits travel in `advise`, the others in the high byte of `device_id`.
struct ChunkAddress {
  uint32_t blob = 0;   // position in the blob table
  uint32_t chunk = 0;  // below 2^24
  uint32_t block = 0;  // plain offset / 4096

  bool operator==(const ChunkAddress&) const = default;
};

constexpr erofs::ChunkIndex ToChunkIndex(const ChunkAddress& address) noexcept {
  return {.advise = static_cast<uint16_t>(address.chunk),
          .device_id = static_cast<uint16_t>((address.chunk >> 16) << 8 | (address.blob + 1)),
          .block = address.block};
}

// `index` is not a hole and names a device: (device_id & 0xFF) != 0.
constexpr ChunkAddress ToChunkAddress(const erofs::ChunkIndex& index) noexcept {
  return {.blob = (index.device_id & 0xFFu) - 1,
          .chunk = static_cast<uint32_t>(index.device_id >> 8) << 16 | index.advise,
          .block = index.block};
}

}  // namespace sluice::image::rafs
