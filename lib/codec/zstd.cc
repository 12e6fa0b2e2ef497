// SPDX-License-Identifier: Apache-2.0
#include "codec/zstd.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace sluice::codec {
namespace {

// Levels 3 and 4 look for matches of 5 bytes and more.  Chunks are mostly code: with 4 bytes, 261 MB of Debian's
// python3 and numpy in chunks of 512 KiB become 98.4 instead of 99.2 MB, in the same time.
constexpr int kCodeMinMatch = 4;
constexpr bool UsesCodeMinMatch(int level) noexcept { return level == 3 || level == 4; }

// A frame may ask for a window of 128 MiB, as much as `zstd -d` grants without --long; RFC 8878 recommends at least 8
// MiB.
constexpr int kMaxWindowLog = 27;

struct StreamFree {
  void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
};

class ZstdFrameDecoder final : public FrameDecoder {
 public:
  explicit ZstdFrameDecoder(std::string what) : what_(std::move(what)), stream_(ZSTD_createDStream()) {
    SLUICE_CHECK(stream_ && !ZSTD_isError(ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kMaxWindowLog)),
                 "zstd makes a decoder");
  }

  Progress Step(ConstBytes in, MutableBytes out) override {
    // Between two frames the library has nothing kept back, and would take an empty input for the start of a frame.
    if (in.empty() && between_frames_) return {};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t result = ZSTD_decompressStream(stream_.get(), &to, &from);
    if (ZSTD_isError(result)) Throw(Errc::kCorrupt, "{}: zstd: {}", what_, ZSTD_getErrorName(result));
    between_frames_ = result == 0;
    return {from.pos, to.pos};
  }

  bool AtBoundary() const noexcept override { return between_frames_; }

 private:
  const std::string what_;
  std::unique_ptr<ZSTD_DStream, StreamFree> stream_;
  bool between_frames_ = true;
};

}  // namespace

ZstdEncoder::ZstdEncoder(int level) : context_(ZSTD_createCCtx()) {
  if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel() || level == 0)
    Throw(Errc::kInvalidArgument, "zstd has no compression level {}", level);
  SLUICE_CHECK(context_ && !ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level)),
               "zstd makes an encoder");
  if (UsesCodeMinMatch(level)) {
    SLUICE_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_minMatch, kCodeMinMatch)),
                 "zstd takes a shortest match");
  }
}

std::optional<size_t> ZstdEncoder::Encode(ConstBytes plain, MutableBytes dst) {
  const size_t result = ZSTD_compress2(context_.get(), dst.data(), dst.size(), plain.data(), plain.size());
  if (!ZSTD_isError(result)) return result;
  SLUICE_CHECK(ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall, "zstd compresses unless the output is full");
  return std::nullopt;
}

void ZstdEncoder::Free::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }

ZstdDecoder::ZstdDecoder() : context_(ZSTD_createDCtx()) { SLUICE_CHECK(context_, "zstd makes a decoder"); }

void ZstdDecoder::Decode(ConstBytes stored, MutableBytes plain) {
  const size_t result = ZSTD_decompressDCtx(context_.get(), plain.data(), plain.size(), stored.data(), stored.size());
  if (ZSTD_isError(result))
    Throw(Errc::kCorrupt, "zstd chunk of {} bytes: {}", stored.size(), ZSTD_getErrorName(result));
  if (result != plain.size())
    Throw(Errc::kCorrupt, "zstd chunk of {} bytes holds {} bytes instead of {}", stored.size(), result, plain.size());
}

void ZstdDecoder::Free::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

std::unique_ptr<FrameDecoder> MakeZstdFrameDecoder(std::string what) {
  return std::make_unique<ZstdFrameDecoder>(std::move(what));
}

}  // namespace sluice::codec
