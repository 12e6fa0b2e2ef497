// SPDX-License-Identifier: Apache-2.0
#pragma once
// A 128-byte EROFS device slot: one extra device (a blob) of an image.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "image/erofs/layout.h"

namespace sluice::image::erofs {

struct DeviceSlot {
  std::string tag;            // 64 bytes; RAFS: the blob id
  uint32_t blocks = 0;        // size of the device
  uint32_t mapped_block = 0;  // start in the flattened address space; 0: not mapped

  bool operator==(const DeviceSlot&) const = default;
};

// `bytes` hold at least kDeviceSlotSize.
DeviceSlot LoadDeviceSlot(ConstBytes bytes);
// `slot.tag` has at most 64 bytes; shorter ones are NUL-padded.
void StoreDeviceSlot(const DeviceSlot& slot, MutableBytes to);

}  // namespace sluice::image::erofs
