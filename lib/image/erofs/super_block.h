// SPDX-License-Identifier: Apache-2.0
#pragma once
// The EROFS super block: 128 bytes at byte 1024 of the image.

#include <cstdint>

#include "base/bytes.h"
#include "image/tree.h"

namespace sluice::image::erofs {

struct SuperBlock {
  uint32_t feature_compat = 0;
  uint32_t feature_incompat = 0;
  uint16_t root_nid = 0;
  uint64_t inode_count = 0;
  Timestamp build_time;  // mtime of compact inodes
  uint32_t blocks = 0;
  uint32_t meta_block = 0;  // nid 0 is here
  uint16_t extra_devices = 0;
  uint16_t device_slot_index = 0;  // device slots start at this times 128

  bool operator==(const SuperBlock&) const = default;
};

// Finds the super block in the bytes of an image.  Throws kCorrupt, or kUnsupported for what no image of ours uses:
// block sizes other than 4096, a checksum, shared xattrs, compression, extension slots.
SuperBlock ParseSuperBlock(ConstBytes image);

// Writes all 128 bytes to byte 1024 of `image`, which holds them.
void StoreSuperBlock(const SuperBlock& super, MutableBytes image);

}  // namespace sluice::image::erofs
