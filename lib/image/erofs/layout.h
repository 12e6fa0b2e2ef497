// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where things are on EROFS media: offsets, sizes and bits, all from the kernel's fs/erofs/erofs_fs.h.

#include <cstdint>

#include "base/limits.h"

namespace sluice::image::erofs {

constexpr uint32_t kMagic = 0xE0F5E1E2;  // EROFS_SUPER_MAGIC_V1
constexpr uint64_t kSuperBlockOffset = 1024;
constexpr uint64_t kSuperBlockSize = 128;
constexpr uint8_t kBlockBits = 12;
static_assert(kBlockSize == 1u << kBlockBits);

// s_feature_incompat
constexpr uint32_t kIncompatChunkedFile = 0x4;
constexpr uint32_t kIncompatDeviceTable = 0x8;

constexpr uint64_t kInodeSlotSize = 32;  // a nid counts these from the meta block
constexpr uint64_t kCompactInodeSize = 32;
constexpr uint64_t kExtendedInodeSize = 64;

constexpr uint64_t kDirentSize = 12;
constexpr uint64_t kXattrHeaderSize = 12;
constexpr uint64_t kXattrEntrySize = 4;  // before name and value
constexpr uint64_t kXattrAlignment = 4;

constexpr uint64_t kChunkIndexSize = 8;
constexpr uint16_t kChunkFormatBlockBitsMask = 0x1F;  // log2(chunk size) - log2(block size)
constexpr uint16_t kChunkFormatIndexes = 0x20;        // 8-byte indexes instead of a 4-byte block map
constexpr uint32_t kNullBlock = 0xFFFFFFFF;           // a chunk that is a hole

constexpr uint64_t kDeviceSlotSize = 128;

}  // namespace sluice::image::erofs
