// SPDX-License-Identifier: Apache-2.0
#include "cache/cache_shard.h"

namespace sluice::cache {

std::unique_ptr<codec::ChunkDecoder> DecoderPool::Take() {
  if (idle_.empty()) return std::make_unique<codec::ChunkDecoder>();
  auto decoder = std::move(idle_.back());
  idle_.pop_back();
  return decoder;
}

}  // namespace sluice::cache
