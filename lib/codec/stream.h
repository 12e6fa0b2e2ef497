// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes that come one after the other: what decoders read from and encoders write to.

#include <cstddef>

#include "base/bytes.h"

namespace sluice::codec {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Puts the next bytes into `dst` (not empty) and returns how many: at least one, 0 only at the end, and then for
  // ever.
  virtual size_t Read(MutableBytes dst) = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Takes all of `bytes`; they belong to the caller again when it returns.
  virtual void Write(ConstBytes bytes) = 0;
};

}  // namespace sluice::codec
