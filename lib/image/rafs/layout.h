// SPDX-License-Identifier: Apache-2.0
#pragma once
// What distinguishes a RAFS v6 bootstrap from other EROFS images, and the one place in it that is fixed.

#include <cstdint>

#include "image/erofs/layout.h"
#include "image/rafs/super_block_ext.h"

namespace sluice::image::rafs {

constexpr uint32_t kFeatureCompatRafsV6 = 0x40000000;  // EROFS_FEATURE_COMPAT_RAFS_V6, nydus layout/v6.rs
constexpr uint32_t kFeatureIncompat = erofs::kIncompatChunkedFile | erofs::kIncompatDeviceTable;  // exactly these

// Device slots follow the super block extension.
constexpr uint64_t kDeviceSlotsOffset = kSuperBlockExtOffset + kSuperBlockExtSize;

}  // namespace sluice::image::rafs
