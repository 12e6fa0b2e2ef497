// SPDX-License-Identifier: Apache-2.0
#include "image/erofs/device_slot.h"

#include <algorithm>

#include "base/check.h"

namespace sluice::image::erofs {
namespace {

// struct erofs_deviceslot
constexpr uint64_t kTagSize = 64;
constexpr uint64_t kBlocksAt = 64;
constexpr uint64_t kMappedBlockAt = 68;

}  // namespace

DeviceSlot LoadDeviceSlot(ConstBytes bytes) {
  const std::string_view tag = AsText(bytes.first(kTagSize));
  return {.tag = std::string(tag.substr(0, tag.find('\0'))),
          .blocks = LoadLe<uint32_t>(bytes.data() + kBlocksAt),
          .mapped_block = LoadLe<uint32_t>(bytes.data() + kMappedBlockAt)};
}

void StoreDeviceSlot(const DeviceSlot& slot, MutableBytes to) {
  SLUICE_CHECK(slot.tag.size() <= kTagSize && to.size() >= kDeviceSlotSize, "the caller makes room for the slot");
  std::fill_n(to.begin(), kDeviceSlotSize, std::byte{0});
  std::copy_n(AsBytes(slot.tag).begin(), slot.tag.size(), to.begin());
  StoreLe<uint32_t>(to.data() + kBlocksAt, slot.blocks);
  StoreLe<uint32_t>(to.data() + kMappedBlockAt, slot.mapped_block);
}

}  // namespace sluice::image::erofs
