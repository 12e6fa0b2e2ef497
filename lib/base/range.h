// SPDX-License-Identifier: Apache-2.0
#pragma once
// A range of bytes in a file or blob.

#include <cstdint>

namespace sluice {

struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;

  // One past the last byte.  Whoever makes a range from input guarantees that this does not overflow.
  constexpr uint64_t end() const noexcept { return offset + length; }
  constexpr bool empty() const noexcept { return length == 0; }
  constexpr bool Contains(const ByteRange& other) const noexcept {
    return offset <= other.offset && other.end() <= end();
  }

  bool operator==(const ByteRange&) const = default;
};

}  // namespace sluice
