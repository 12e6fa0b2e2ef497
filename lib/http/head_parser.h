// SPDX-License-Identifier: Apache-2.0
#pragma once
// The header of an answer from its lines.  Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "http/transport.h"

namespace sluice::http {

class HeadParser {
 public:
  // `most_bytes`: of all header lines of one answer, interim ones (1xx) and trailers included.
  explicit HeadParser(uint64_t most_bytes) noexcept : most_bytes_(most_bytes) {}

  // Takes one line with its line end.  Throws kCorrupt for what is no header, kUnsupported for a transfer coding other
  // than chunked, kLimit.  After the end of the header only counts: trailers say nothing that we ask.
  void Feed(std::string_view line);
  // The header of the final answer (not 1xx) is complete.
  bool complete() const noexcept { return complete_; }
  const ResponseHead& head() const noexcept { return head_; }

 private:
  void ParseStatusLine(std::string_view line);
  void ParseField(std::string_view line);

  const uint64_t most_bytes_;
  uint64_t bytes_ = 0;
  bool begun_ = false;
  bool complete_ = false;
  ResponseHead head_;
};

}  // namespace sluice::http
