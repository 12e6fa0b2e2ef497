// SPDX-License-Identifier: Apache-2.0
#pragma once
// The zlib library: gzip streams.  Who writes a gzip file uses GzipEncoder (codec/gzip_encoder.h).

#include <memory>
#include <string>

#include "codec/frame_decoder.h"
#include "codec/stream.h"

namespace sluice::codec {

// A sequence of gzip members.  `what` names the stream in errors.
std::unique_ptr<FrameDecoder> MakeGzipFrameDecoder(std::string what);

// One gzip member, in little memory.
class ZlibEncoder {
 public:
  // `stored` outlives the encoder.  `level` is 1 to 9.
  ZlibEncoder(ByteSink& stored, int level);
  ~ZlibEncoder();
  ZlibEncoder(const ZlibEncoder&) = delete;
  ZlibEncoder& operator=(const ZlibEncoder&) = delete;

  void Write(ConstBytes plain);
  // The last call.
  void Finish();

 private:
  struct State;
  void Deflate(ConstBytes plain, bool finish);

  ByteSink& stored_;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::codec
