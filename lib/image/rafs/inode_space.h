// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gives inodes their places in a bootstrap that is being built.

#include <cstddef>
#include <cstdint>
#include <deque>

namespace sluice::image::rafs {

class InodeSpace {
 public:
  // Places start at `begin`, a multiple of 4096.
  explicit InodeSpace(uint64_t begin) noexcept : end_(begin) {}

  // A place for `size` bytes at a multiple of 32.  With `in_one_block`, `size` is at most 4096 and the place does not
  // cross a block boundary: what that leaves free is given to later inodes.
  uint64_t Take(uint64_t size, bool in_one_block);

  // One past the last place.
  uint64_t end() const noexcept { return end_; }

 private:
  struct Gap {
    uint64_t begin;
    uint64_t end;
  };
  // The newest gaps only: looking for a place stays constant work.
  static constexpr size_t kMaxGaps = 64;

  uint64_t end_;
  std::deque<Gap> gaps_;  // oldest first
};

}  // namespace sluice::image::rafs
