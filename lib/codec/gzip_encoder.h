// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes a gzip file whose bytes depend on the input and the level only: no name, time 0, system "unknown".

#include <memory>

#include "codec/stream.h"

namespace sluice::codec {

class GzipEncoder final : public ByteSink {
 public:
  // `stored` outlives the encoder.  `level` is 1 to 9, else kInvalidArgument.
  GzipEncoder(ByteSink& stored, int level);
  ~GzipEncoder() override;

  void Write(ConstBytes plain) override;
  // Writes what is left and the trailer.  Without it the file is incomplete; nothing may follow it.
  void Finish();

 private:
  struct State;
  void Deflate(ConstBytes plain, bool finish);

  ByteSink& stored_;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::codec
