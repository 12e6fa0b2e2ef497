// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes a gzip file of one member whose bytes depend on the input and the level only: no name, time 0, system
// "unknown".

#include <cstddef>
#include <memory>
#include <vector>

#include "base/limits.h"
#include "codec/stream.h"
#include "codec/zlib.h"

namespace sluice::codec {

// Up to kMostAtOnce plain bytes are kept and compressed by libdeflate, twice as fast as zlib; more go through zlib.
class GzipEncoder final : public ByteSink {
 public:
  static constexpr size_t kMostAtOnce = 32 * kMiB;

  // `stored` outlives the encoder.  `level` is 1 to 9, else kInvalidArgument.
  GzipEncoder(ByteSink& stored, int level);

  void Write(ConstBytes plain) override;
  // Writes what is left and the trailer.  Without it the file is incomplete; nothing may follow it.
  void Finish();

 private:
  ByteSink& stored_;
  const int level_;
  std::vector<std::byte> kept_;          // all of the input so far, unless there is a stream
  std::unique_ptr<ZlibEncoder> stream_;  // null: there was no more than kMostAtOnce
};

}  // namespace sluice::codec
