// SPDX-License-Identifier: Apache-2.0
#include "image/erofs/chunk_index.h"

namespace sluice::image::erofs {
namespace {

// struct erofs_inode_chunk_index
constexpr uint64_t kAdviseAt = 0;
constexpr uint64_t kDeviceAt = 2;
constexpr uint64_t kBlockAt = 4;

}  // namespace

ChunkIndex LoadChunkIndex(ConstBytes bytes) noexcept {
  return {.advise = LoadLe<uint16_t>(bytes.data() + kAdviseAt),
          .device_id = LoadLe<uint16_t>(bytes.data() + kDeviceAt),
          .block = LoadLe<uint32_t>(bytes.data() + kBlockAt)};
}

void StoreChunkIndex(const ChunkIndex& index, MutableBytes to) noexcept {
  StoreLe<uint16_t>(to.data() + kAdviseAt, index.advise);
  StoreLe<uint16_t>(to.data() + kDeviceAt, index.device_id);
  StoreLe<uint32_t>(to.data() + kBlockAt, index.block);
}

}  // namespace sluice::image::erofs
