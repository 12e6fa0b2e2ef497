// SPDX-License-Identifier: Apache-2.0
#pragma once
// The lz4 library: single blocks without a frame around them.

#include <cstddef>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace sluice::codec {

class Lz4Encoder {
 public:
  Lz4Encoder();
  // nullopt when the block would need more than dst.size() bytes.
  std::optional<size_t> Encode(ConstBytes plain, MutableBytes dst);

 private:
  std::vector<std::byte> state_;
};

// Throws kCorrupt unless the block `stored` holds exactly plain.size() bytes.
void DecodeLz4(ConstBytes stored, MutableBytes plain);

}  // namespace sluice::codec
