// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/inode_space.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "image/erofs/layout.h"

namespace sluice::image::rafs {

uint64_t InodeSpace::Take(uint64_t size, bool in_one_block) {
  size = AlignUp(size, erofs::kInodeSlotSize);
  // A gap is the rest of a block: what fits does not cross a boundary.
  for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
    if (gap->end - gap->begin < size) continue;
    const uint64_t place = gap->begin;
    gap->begin += size;
    if (gap->end - gap->begin < erofs::kExtendedInodeSize) gaps_.erase(gap);
    return place;
  }
  const uint64_t block_end = AlignUp(end_, kBlockSize);
  if (in_one_block && end_ + size > block_end && block_end != end_) {
    if (block_end - end_ >= erofs::kExtendedInodeSize) gaps_.push_back({end_, block_end});
    if (gaps_.size() > kMaxGaps) gaps_.pop_front();
    end_ = block_end;
  }
  const uint64_t place = end_;
  end_ += size;
  return place;
}

}  // namespace sluice::image::rafs
