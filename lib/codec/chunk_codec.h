// SPDX-License-Identifier: Apache-2.0
#pragma once
// One chunk, one call: plain bytes to stored bytes and back.  The contexts of the C libraries are kept from call to
// call, so make one encoder or decoder per thread and keep it.  Not thread-safe.

#include <cstddef>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/compression.h"

namespace sluice::codec {

class ChunkEncoder {
 public:
  // `level` counts for zstd only (1 to 19; negative levels are faster).  Throws kInvalidArgument for a level that the
  // library does not have, kUnsupported for gzip.
  ChunkEncoder(Compression compression, int level);
  ~ChunkEncoder();
  ChunkEncoder(const ChunkEncoder&) = delete;
  ChunkEncoder& operator=(const ChunkEncoder&) = delete;

  Compression compression() const noexcept { return compression_; }

  // Compresses `plain` into the front of `dst` and returns the stored size.  nullopt when the result would not be
  // smaller than `plain` (always so for kNone): store the plain bytes then.  `dst` never needs more than plain.size()
  // bytes; the same input always gives the same output.
  std::optional<size_t> Encode(ConstBytes plain, MutableBytes dst);

 private:
  struct Contexts;
  const Compression compression_;
  std::unique_ptr<Contexts> contexts_;
};

class ChunkDecoder {
 public:
  ChunkDecoder();
  ~ChunkDecoder();
  ChunkDecoder(const ChunkDecoder&) = delete;
  ChunkDecoder& operator=(const ChunkDecoder&) = delete;

  // Fills exactly `plain` from exactly `stored`.  Throws kCorrupt when the data are damaged or hold fewer or more bytes
  // than plain.size(), kUnsupported for gzip.  Nothing in `stored` decides how much memory is used.
  void Decode(Compression compression, ConstBytes stored, MutableBytes plain);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace sluice::codec
