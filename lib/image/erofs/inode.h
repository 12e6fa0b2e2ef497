// SPDX-License-Identifier: Apache-2.0
#pragma once
// The fixed part of an EROFS inode, compact (32 bytes) or extended (64 bytes).

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "image/erofs/layout.h"
#include "image/tree.h"

namespace sluice::image::erofs {

// The values are those of i_format bits 1 to 3 (EROFS_INODE_…).
enum class DataLayout : uint8_t {
  kFlatPlain = 0,   // all data in blocks
  kFlatInline = 2,  // the last partial block behind the inode, the rest in blocks
  kChunkBased = 4,  // an array of chunk indexes behind the inode
};

struct InodeHeader {
  bool extended = true;
  DataLayout layout = DataLayout::kFlatPlain;
  FileType type = FileType::kRegular;
  uint16_t permissions = 0;  // 07777
  uint32_t xattr_size = 0;   // bytes of the xattr body behind the header; 0: none
  uint64_t size = 0;         // of the data
  uint32_t u = 0;            // first data block | chunk format | encoded device number, by layout and type
  uint32_t ino = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  Timestamp mtime;
  uint32_t link_count = 0;

  uint64_t header_size() const noexcept { return extended ? kExtendedInodeSize : kCompactInodeSize; }
  bool operator==(const InodeHeader&) const = default;
};

// Parses the inode at the start of `bytes`, which may go on behind it.  `build_time` is the mtime of compact inodes.
// `what` names the inode in errors: kCorrupt for a field that contradicts the format, kUnsupported for compressed
// layouts.
InodeHeader ParseInode(ConstBytes bytes, const Timestamp& build_time, std::string_view what);

// Writes header_size() bytes.  A compact inode drops mtime; the caller made sure that its numbers fit.
void StoreInode(const InodeHeader& inode, MutableBytes to);

// The kernel's 32-bit device numbers (new_encode_dev, include/linux/kdev_t.h): minor 0..7, major 8..19, minor 20..31.
uint32_t EncodeDevice(DeviceNumber device) noexcept;
DeviceNumber DecodeDevice(uint32_t encoded) noexcept;

}  // namespace sluice::image::erofs
