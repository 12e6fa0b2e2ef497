// SPDX-License-Identifier: Apache-2.0
#include "codec/stream_decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "codec/frame_decoder.h"
#include "codec/zlib.h"
#include "codec/zstd.h"

namespace sluice::codec {
namespace {

constexpr size_t kInputSize = 256 * kKiB;

std::unique_ptr<FrameDecoder> MakeFrameDecoder(StreamFormat format, const std::string& what) {
  switch (format) {
    case StreamFormat::kNone: return nullptr;
    case StreamFormat::kGzip: return MakeGzipFrameDecoder(what);
    case StreamFormat::kZstd: return MakeZstdFrameDecoder(what);
  }
  return nullptr;
}

}  // namespace

std::string_view Name(StreamFormat format) noexcept {
  switch (format) {
    case StreamFormat::kNone: return "none";
    case StreamFormat::kGzip: return "gzip";
    case StreamFormat::kZstd: return "zstd";
  }
  return "unknown";
}

StreamFormat DetectFormat(ConstBytes head) noexcept {
  if (head.size() < kDetectBytes) return StreamFormat::kNone;
  const auto magic = LoadLe<uint32_t>(head.data());
  // RFC 1952 section 2.3.1: ID1, ID2, and CM 8, the only method there is.
  if ((magic & 0xFFFFFF) == 0x088B1F) return StreamFormat::kGzip;
  // RFC 8878 sections 3.1.1 and 3.1.2: zstd frames and skippable frames.
  if (magic == 0xFD2FB528 || (magic & 0xFFFFFFF0) == 0x184D2A50) return StreamFormat::kZstd;
  return StreamFormat::kNone;
}

StreamDecoder::StreamDecoder(ByteSource& stored, std::string what, DecodeLimits limits)
    : stored_(stored), what_(std::move(what)), limits_(limits), input_(kInputSize) {}
StreamDecoder::~StreamDecoder() = default;

size_t StreamDecoder::Read(MutableBytes dst) {
  if (!started_) Start();
  const size_t produced = decoder_ ? Decode(dst) : PassThrough(dst);
  plain_bytes_ += produced;
  CheckLimits();
  return produced;
}

void StreamDecoder::Start() {
  started_ = true;
  while (input_end_ < kDetectBytes && !stored_ended_) Refill();
  format_ = DetectFormat(ConstBytes(input_).first(input_end_));
  decoder_ = MakeFrameDecoder(format_, what_);
}

size_t StreamDecoder::Decode(MutableBytes dst) {
  for (;;) {
    const FrameDecoder::Progress progress = decoder_->Step(input(), dst);
    input_begin_ += progress.consumed;
    if (progress.produced > 0) return progress.produced;
    if (progress.consumed > 0) continue;
    // Neither input nor output left: only more input can help.
    if (stored_ended_) {
      if (!decoder_->AtBoundary() || !input().empty())
        Throw(Errc::kCorrupt, "{}: the {} stream is truncated after {} bytes", what_, Name(format_), stored_bytes_);
      return 0;
    }
    Refill();
  }
}

size_t StreamDecoder::PassThrough(MutableBytes dst) {
  // First what was read ahead to find out the format, then straight from the source.
  if (input().empty()) {
    const size_t count = stored_ended_ ? 0 : stored_.Read(dst);
    stored_ended_ = count == 0;
    stored_bytes_ += count;
    return count;
  }
  const ConstBytes ready = input().first(std::min(input().size(), dst.size()));
  std::memcpy(dst.data(), ready.data(), ready.size());
  input_begin_ += ready.size();
  return ready.size();
}

void StreamDecoder::Refill() {
  if (input_begin_ > 0) {
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= input_begin_;
    input_begin_ = 0;
  }
  const size_t count = stored_.Read(MutableBytes(input_).subspan(input_end_));
  stored_ended_ = count == 0;
  input_end_ += count;
  stored_bytes_ += count;
}

void StreamDecoder::CheckLimits() const {
  if (plain_bytes_ > limits_.max_plain_bytes)
    Throw(Errc::kLimit, "{}: holds more than {} bytes uncompressed", what_, limits_.max_plain_bytes);
  if (plain_bytes_ > limits_.ratio_free_bytes && plain_bytes_ / limits_.max_ratio > stored_bytes_)
    Throw(Errc::kLimit, "{}: {} bytes hold more than {}, above {} to 1", what_, stored_bytes_, plain_bytes_,
          limits_.max_ratio);
}

}  // namespace sluice::codec
