// SPDX-License-Identifier: Apache-2.0
#pragma once
// The 8-byte entries behind a chunk-based EROFS inode, and the chunk format word in its i_u.

#include <cstdint>

#include "base/bytes.h"
#include "image/erofs/layout.h"

namespace sluice::image::erofs {

struct ChunkIndex {
  uint16_t advise = 0;     // the kernel ignores it without the 48-bit feature
  uint16_t device_id = 0;  // the kernel masks it to the number of devices
  uint32_t block = kNullBlock;

  bool operator==(const ChunkIndex&) const = default;
};

// `bytes` hold at least kChunkIndexSize.
ChunkIndex LoadChunkIndex(ConstBytes bytes) noexcept;
void StoreChunkIndex(const ChunkIndex& index, MutableBytes to) noexcept;

// Where the array starts, counted from the inode: behind header and xattrs, 8-byte aligned with the inode (which is
// 32-byte aligned).
constexpr uint64_t ChunkArrayOffset(uint64_t header_size, uint64_t xattr_size) noexcept {
  return AlignUp(header_size + xattr_size, kChunkIndexSize);
}

}  // namespace sluice::image::erofs
