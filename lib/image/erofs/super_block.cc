// SPDX-License-Identifier: Apache-2.0
#include "image/erofs/super_block.h"

#include <algorithm>

#include "base/error.h"
#include "image/erofs/layout.h"

namespace sluice::image::erofs {
namespace {

// struct erofs_super_block
constexpr uint64_t kMagicAt = 0;
constexpr uint64_t kChecksumAt = 4;
constexpr uint64_t kFeatureCompatAt = 8;
constexpr uint64_t kBlockBitsAt = 12;
constexpr uint64_t kExtensionSlotsAt = 13;
constexpr uint64_t kRootNidAt = 14;
constexpr uint64_t kInodeCountAt = 16;
constexpr uint64_t kBuildTimeAt = 24;
constexpr uint64_t kBuildTimeNsecAt = 32;
constexpr uint64_t kBlocksAt = 36;
constexpr uint64_t kMetaBlockAt = 40;
constexpr uint64_t kXattrBlockAt = 44;
constexpr uint64_t kFeatureIncompatAt = 80;
constexpr uint64_t kCompressionAt = 84;
constexpr uint64_t kExtraDevicesAt = 86;
constexpr uint64_t kDeviceSlotIndexAt = 88;

// Throws unless a field that no image of ours uses is zero.
void RequireZero(uint64_t value, const char* field) {
  if (value != 0) Throw(Errc::kUnsupported, "super block: field '{}' is {} instead of 0", field, value);
}

}  // namespace

SuperBlock ParseSuperBlock(ConstBytes image) {
  const std::byte* at = Slice(image, kSuperBlockOffset, kSuperBlockSize, "super block").data();
  if (const auto magic = LoadLe<uint32_t>(at + kMagicAt); magic != kMagic)
    Throw(Errc::kCorrupt, "super block: field 'magic' is {:#x} instead of {:#x}", magic, kMagic);
  if (const auto bits = LoadLe<uint8_t>(at + kBlockBitsAt); bits != kBlockBits)
    Throw(Errc::kUnsupported, "super block: field 'blkszbits' is {} instead of {}", bits, kBlockBits);
  RequireZero(LoadLe<uint32_t>(at + kChecksumAt), "checksum");
  RequireZero(LoadLe<uint8_t>(at + kExtensionSlotsAt), "sb_extslots");
  RequireZero(LoadLe<uint32_t>(at + kXattrBlockAt), "xattr_blkaddr");
  RequireZero(LoadLe<uint16_t>(at + kCompressionAt), "available_compr_algs");

  SuperBlock super;
  super.feature_compat = LoadLe<uint32_t>(at + kFeatureCompatAt);
  super.feature_incompat = LoadLe<uint32_t>(at + kFeatureIncompatAt);
  super.root_nid = LoadLe<uint16_t>(at + kRootNidAt);
  super.inode_count = LoadLe<uint64_t>(at + kInodeCountAt);
  super.build_time.seconds = LoadLe<int64_t>(at + kBuildTimeAt);
  super.build_time.nanoseconds = LoadLe<uint32_t>(at + kBuildTimeNsecAt);
  super.blocks = LoadLe<uint32_t>(at + kBlocksAt);
  super.meta_block = LoadLe<uint32_t>(at + kMetaBlockAt);
  super.extra_devices = LoadLe<uint16_t>(at + kExtraDevicesAt);
  super.device_slot_index = LoadLe<uint16_t>(at + kDeviceSlotIndexAt);
  if (super.build_time.nanoseconds >= kNanosecondsPerSecond)
    Throw(Errc::kCorrupt, "super block: field 'build_time_nsec' is {}", super.build_time.nanoseconds);
  return super;
}

void StoreSuperBlock(const SuperBlock& super, MutableBytes image) {
  const MutableBytes to = image.subspan(kSuperBlockOffset, kSuperBlockSize);
  std::fill(to.begin(), to.end(), std::byte{0});
  std::byte* at = to.data();
  StoreLe<uint32_t>(at + kMagicAt, kMagic);
  StoreLe<uint32_t>(at + kFeatureCompatAt, super.feature_compat);
  StoreLe<uint8_t>(at + kBlockBitsAt, kBlockBits);
  StoreLe<uint16_t>(at + kRootNidAt, super.root_nid);
  StoreLe<uint64_t>(at + kInodeCountAt, super.inode_count);
  StoreLe<int64_t>(at + kBuildTimeAt, super.build_time.seconds);
  StoreLe<uint32_t>(at + kBuildTimeNsecAt, super.build_time.nanoseconds);
  StoreLe<uint32_t>(at + kBlocksAt, super.blocks);
  StoreLe<uint32_t>(at + kMetaBlockAt, super.meta_block);
  StoreLe<uint32_t>(at + kFeatureIncompatAt, super.feature_incompat);
  StoreLe<uint16_t>(at + kExtraDevicesAt, super.extra_devices);
  StoreLe<uint16_t>(at + kDeviceSlotIndexAt, super.device_slot_index);
}

}  // namespace sluice::image::erofs
