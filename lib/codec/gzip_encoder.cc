// SPDX-License-Identifier: Apache-2.0
#include "codec/gzip_encoder.h"

#include <libdeflate.h>

#include "base/check.h"
#include "base/error.h"

namespace sluice::codec {
namespace {

struct CompressorFree {
  void operator()(libdeflate_compressor* compressor) const noexcept { libdeflate_free_compressor(compressor); }
};

}  // namespace

GzipEncoder::GzipEncoder(ByteSink& stored, int level) : stored_(stored), level_(level) {
  if (level < 1 || level > 9) Throw(Errc::kInvalidArgument, "gzip has no compression level {}", level);
}

void GzipEncoder::Write(ConstBytes plain) {
  if (!stream_ && plain.size() > kMostAtOnce - kept_.size()) {
    stream_ = std::make_unique<ZlibEncoder>(stored_, level_);
    stream_->Write(kept_);
    kept_ = {};
  }
  if (stream_) {
    stream_->Write(plain);
  } else {
    kept_.insert(kept_.end(), plain.begin(), plain.end());
  }
}

void GzipEncoder::Finish() {
  if (stream_) return stream_->Finish();
  const std::unique_ptr<libdeflate_compressor, CompressorFree> compressor(libdeflate_alloc_compressor(level_));
  SLUICE_CHECK(compressor, "libdeflate makes a compressor");
  std::vector<std::byte> member(libdeflate_gzip_compress_bound(compressor.get(), kept_.size()));
  const size_t size =
      libdeflate_gzip_compress(compressor.get(), kept_.data(), kept_.size(), member.data(), member.size());
  SLUICE_CHECK(size > 0, "libdeflate needs no more than it says");
  stored_.Write(ConstBytes(member).first(size));
}

}  // namespace sluice::codec
