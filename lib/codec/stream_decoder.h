// SPDX-License-Identifier: Apache-2.0
#pragma once
// A compressed stream (an OCI layer, an inlined bootstrap) as the plain bytes in it, in bounded memory.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "codec/stream.h"

namespace sluice::codec {

class FrameDecoder;  // codec/frame_decoder.h

enum class StreamFormat : uint8_t { kNone, kGzip, kZstd };
std::string_view Name(StreamFormat format) noexcept;

// The format by the first bytes of a stream; kNone when they are neither gzip (RFC 1952) nor zstd (RFC 8878).  Gives
// the final answer from kDetectBytes bytes on.
constexpr size_t kDetectBytes = 4;
StreamFormat DetectFormat(ConstBytes head) noexcept;

// Against decompression bombs.  The plain bytes are streamed, never kept, so what a bomb costs is time.
struct DecodeLimits {
  uint64_t max_plain_bytes = 1024 * kGiB;
  // Plain bytes per stored byte; looked at once more than `ratio_free_bytes` came out.  deflate cannot pass 1032, so
  // only zstd streams are ever refused by the ratio; a big file of zeros in an honest layer is.. far below the free
  // bytes.
  uint64_t max_ratio = 1100;
  uint64_t ratio_free_bytes = 16 * kGiB;
};

// Decodes a whole stream: all members of a gzip file, all frames of a zstd file (skippable ones too, windows up to
// 128 MiB); a stream in neither format passes through.  Not thread-safe.
class StreamDecoder final : public ByteSource {
 public:
  // `stored` outlives the decoder.  `what` names the stream in errors.
  StreamDecoder(ByteSource& stored, std::string what, DecodeLimits limits = {});
  ~StreamDecoder() override;

  // Throws kCorrupt when the stream is damaged, ends inside a member or frame, or goes on with something else behind
  // the last one; kLimit when it exceeds `limits`.
  size_t Read(MutableBytes dst) override;

  // kNone before the first Read.
  StreamFormat format() const noexcept { return format_; }
  uint64_t stored_bytes() const noexcept { return stored_bytes_; }
  uint64_t plain_bytes() const noexcept { return plain_bytes_; }

 private:
  void Start();
  size_t Decode(MutableBytes dst);
  size_t PassThrough(MutableBytes dst);
  void Refill();
  ConstBytes input() const noexcept { return ConstBytes(input_).subspan(input_begin_, input_end_ - input_begin_); }
  void CheckLimits() const;

  ByteSource& stored_;
  const std::string what_;
  const DecodeLimits limits_;
  StreamFormat format_ = StreamFormat::kNone;
  std::unique_ptr<FrameDecoder> decoder_;  // none for kNone
  std::vector<std::byte> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  bool started_ = false;
  bool stored_ended_ = false;
  uint64_t stored_bytes_ = 0;
  uint64_t plain_bytes_ = 0;
};

}  // namespace sluice::codec
