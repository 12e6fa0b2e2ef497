// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which chunks the blobs of an image hold already, so that each content is stored once.  Thread-safe.

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/digest.h"
#include "image/tree.h"
#include "runtime/guarded.h"

namespace sluice::convert {

class ChunkDictionary {
 public:
  // The place of a chunk with this digest and plain size.  What was found once stays.
  std::optional<image::FileChunk> Find(const Digest& digest, uint32_t plain_size) const;
  // The first place wins: adding a known chunk again changes nothing.
  void Add(const Digest& digest, uint32_t plain_size, image::FileChunk place);

 private:
  struct Key {
    Digest digest;
    uint32_t plain_size;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept { return DigestHash()(key.digest); }
  };

  runtime::Guarded<std::unordered_map<Key, image::FileChunk, KeyHash>> places_;
};

}  // namespace sluice::convert
