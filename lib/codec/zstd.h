// SPDX-License-Identifier: Apache-2.0
#pragma once
// The zstd library: chunks in one call, streams in frames.

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "codec/frame_decoder.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace sluice::codec {

class ZstdEncoder {
 public:
  // Throws kInvalidArgument for a level that the library does not have.
  explicit ZstdEncoder(int level);
  // One frame that says its content size.  nullopt when it would need more than dst.size() bytes.
  std::optional<size_t> Encode(ConstBytes plain, MutableBytes dst);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class ZstdDecoder {
 public:
  ZstdDecoder();
  // Throws kCorrupt unless the frames in `stored` hold exactly plain.size() bytes.
  void Decode(ConstBytes stored, MutableBytes plain);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

// A sequence of frames.  `what` names the stream in errors.
std::unique_ptr<FrameDecoder> MakeZstdFrameDecoder(std::string what);

}  // namespace sluice::codec
