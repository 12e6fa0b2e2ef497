// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a compressed format has to do for StreamDecoder, which moves the bytes.

#include <cstddef>

#include "base/bytes.h"

namespace sluice::codec {

class FrameDecoder {
 public:
  struct Progress {
    size_t consumed = 0;
    size_t produced = 0;
  };

  virtual ~FrameDecoder() = default;
  // Decodes from `in` to `out` (not empty).  Consumes or produces something whenever `in` is not empty or output is
  // kept back; throws kCorrupt.
  virtual Progress Step(ConstBytes in, MutableBytes out) = 0;
  // Whether a stream may end behind the input consumed so far, all output of which has been given.
  virtual bool AtBoundary() const noexcept = 0;
};

}  // namespace sluice::codec
