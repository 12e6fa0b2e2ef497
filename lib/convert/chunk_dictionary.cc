// SPDX-License-Identifier: Apache-2.0
#include "convert/chunk_dictionary.h"

namespace sluice::convert {

std::optional<image::FileChunk> ChunkDictionary::Find(const Digest& digest, uint32_t plain_size) const {
  return places_.With([&](const auto& places) -> std::optional<image::FileChunk> {
    const auto found = places.find({digest, plain_size});
    return found == places.end() ? std::nullopt : std::optional(found->second);
  });
}

void ChunkDictionary::Add(const Digest& digest, uint32_t plain_size, image::FileChunk place) {
  places_.With([&](auto& places) { places.try_emplace({digest, plain_size}, place); });
}

}  // namespace sluice::convert
