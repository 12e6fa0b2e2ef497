// SPDX-License-Identifier: Apache-2.0
#include "codec/zlib.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace sluice::codec {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // zlib.h: 16 asks for a gzip header and trailer
constexpr int kMemLevel = 8;              // the library's default
constexpr int kSystemUnknown = 255;       // RFC 1952 section 2.3.1, OS

uInt Clamp(size_t size) noexcept { return static_cast<uInt>(std::min<size_t>(size, UINT_MAX)); }

// zlib never writes to its input; its interface is older than const (ZLIB_CONST in zconf.h makes it const).
z_const Bytef* Input(ConstBytes bytes) noexcept {
  return const_cast<z_const Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

class GzipFrameDecoder final : public FrameDecoder {
 public:
  explicit GzipFrameDecoder(std::string what) : what_(std::move(what)) {
    SLUICE_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK, "zlib makes a decoder");
  }
  ~GzipFrameDecoder() override { inflateEnd(&stream_); }
  GzipFrameDecoder(const GzipFrameDecoder&) = delete;
  GzipFrameDecoder& operator=(const GzipFrameDecoder&) = delete;

  Progress Step(ConstBytes in, MutableBytes out) override {
    if (between_members_) {
      if (in.empty()) return {};
      SLUICE_CHECK(inflateReset(&stream_) == Z_OK, "zlib resets a decoder");
      between_members_ = false;
    }
    stream_.next_in = Input(in);
    stream_.avail_in = Clamp(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = Clamp(out.size());
    const uInt in_before = stream_.avail_in;
    const uInt out_before = stream_.avail_out;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    // Z_BUF_ERROR only says that there was neither input nor output to go on with.
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
      Throw(Errc::kCorrupt, "{}: gzip: {}", what_, stream_.msg != nullptr ? stream_.msg : "damaged data");
    between_members_ = result == Z_STREAM_END;
    return {in_before - stream_.avail_in, out_before - stream_.avail_out};
  }

  bool AtBoundary() const noexcept override { return between_members_; }

 private:
  const std::string what_;
  z_stream stream_{};
  bool between_members_ = true;
};

}  // namespace

std::unique_ptr<FrameDecoder> MakeGzipFrameDecoder(std::string what) {
  return std::make_unique<GzipFrameDecoder>(std::move(what));
}

struct ZlibEncoder::State {
  z_stream stream{};
  gz_header header{};
  std::array<std::byte, 64 * 1024> output;
};

ZlibEncoder::ZlibEncoder(ByteSink& stored, int level) : stored_(stored), state_(std::make_unique<State>()) {
  SLUICE_CHECK(deflateInit2(&state_->stream, level, Z_DEFLATED, kGzipWindowBits, kMemLevel, Z_DEFAULT_STRATEGY) == Z_OK,
               "zlib makes an encoder");
  state_->header.os = kSystemUnknown;
  SLUICE_CHECK(deflateSetHeader(&state_->stream, &state_->header) == Z_OK, "zlib takes a gzip header");
}

ZlibEncoder::~ZlibEncoder() { deflateEnd(&state_->stream); }

void ZlibEncoder::Write(ConstBytes plain) {
  while (!plain.empty()) {
    const ConstBytes part = plain.first(Clamp(plain.size()));
    Deflate(part, false);
    plain = plain.subspan(part.size());
  }
}

void ZlibEncoder::Finish() { Deflate({}, true); }

void ZlibEncoder::Deflate(ConstBytes plain, bool finish) {
  z_stream& stream = state_->stream;
  stream.next_in = Input(plain);
  stream.avail_in = static_cast<uInt>(plain.size());
  // The library has taken everything and given everything when it leaves room in the output.
  do {
    stream.next_out = reinterpret_cast<Bytef*>(state_->output.data());
    stream.avail_out = static_cast<uInt>(state_->output.size());
    const int result = deflate(&stream, finish ? Z_FINISH : Z_NO_FLUSH);
    SLUICE_CHECK(result != Z_STREAM_ERROR, "zlib deflates");
    const size_t produced = state_->output.size() - stream.avail_out;
    if (produced > 0) stored_.Write(ConstBytes(state_->output).first(produced));
  } while (stream.avail_out == 0);
}

}  // namespace sluice::codec
