// SPDX-License-Identifier: Apache-2.0
#pragma once
// Byte streams in memory.

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "codec/stream.h"

namespace sluice::test {

// Gives `text` in pieces of at most `piece` bytes.
class MemorySource final : public codec::ByteSource {
 public:
  explicit MemorySource(std::string text, size_t piece = SIZE_MAX) : text_(std::move(text)), piece_(piece) {}

  size_t Read(MutableBytes dst) override {
    const size_t count = std::min({dst.size(), piece_, text_.size() - offset_});
    std::memcpy(dst.data(), text_.data() + offset_, count);
    offset_ += count;
    return count;
  }

 private:
  const std::string text_;
  const size_t piece_;
  size_t offset_ = 0;
};

class MemorySink final : public codec::ByteSink {
 public:
  void Write(ConstBytes bytes) override { text.append(AsText(bytes)); }
  std::string text;
};

// Everything that `source` gives, read in pieces of at most `piece` bytes.
inline std::string ReadAll(codec::ByteSource& source, size_t piece = 65536) {
  std::string all;
  std::string buffer(piece, '\0');
  for (;;) {
    const size_t count = source.Read(std::as_writable_bytes(std::span(buffer)));
    if (count == 0) return all;
    all.append(buffer, 0, count);
  }
}

}  // namespace sluice::test
