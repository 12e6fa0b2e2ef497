// SPDX-License-Identifier: Apache-2.0
#pragma once
// The content of one file of the simulator: pages that were never written take no memory and read as zeros.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>

#include "base/bytes.h"
#include "base/range.h"

namespace sluice::runtime {

class SparseBytes {
 public:
  static constexpr uint64_t kPage = 4096;

  uint64_t size() const noexcept { return size_; }
  uint64_t pages() const noexcept { return pages_.size(); }

  void Read(MutableBytes dst, uint64_t offset) const {
    ForEachPage(offset, dst.size(), [&](uint64_t page, uint64_t in_page, uint64_t done, uint64_t length) {
      const auto at = pages_.find(page);
      if (at == pages_.end()) {
        std::memset(dst.data() + done, 0, length);
      } else {
        std::memcpy(dst.data() + done, at->second.data() + in_page, length);
      }
    });
  }
  void Write(ConstBytes src, uint64_t offset) {
    ForEachPage(offset, src.size(), [&](uint64_t page, uint64_t in_page, uint64_t done, uint64_t length) {
      std::memcpy(pages_[page].data() + in_page, src.data() + done, length);
    });
    size_ = std::max(size_, offset + src.size());
  }
  // Pages that a write to `range` would add.
  uint64_t PagesMissing(ByteRange range) const {
    uint64_t missing = 0;
    ForEachPage(range.offset, range.length,
                [&](uint64_t page, uint64_t, uint64_t, uint64_t) { missing += pages_.count(page) == 0 ? 1 : 0; });
    return missing;
  }
  void Truncate(uint64_t size) {
    pages_.erase(pages_.lower_bound(AlignUp(size, kPage) / kPage), pages_.end());
    if (size < size_) Zero({size, AlignUp(size, kPage) - size});
    size_ = size;
  }
  void PunchHole(ByteRange range) {
    Zero(range);
    const uint64_t first = AlignUp(range.offset, kPage) / kPage;
    const uint64_t last = AlignDown(range.end(), kPage) / kPage;
    if (first < last) pages_.erase(pages_.lower_bound(first), pages_.lower_bound(last));
  }

 private:
  using Page = std::array<std::byte, kPage>;

  template <typename F>
  static void ForEachPage(uint64_t offset, uint64_t length, F f) {
    for (uint64_t done = 0; done < length;) {
      const uint64_t in_page = (offset + done) % kPage;
      const uint64_t part = std::min(kPage - in_page, length - done);
      f((offset + done) / kPage, in_page, done, part);
      done += part;
    }
  }
  void Zero(ByteRange range) {
    ForEachPage(range.offset, range.length, [&](uint64_t page, uint64_t in_page, uint64_t, uint64_t length) {
      const auto at = pages_.find(page);
      if (at != pages_.end()) std::memset(at->second.data() + in_page, 0, length);
    });
  }

  uint64_t size_ = 0;
  std::map<uint64_t, Page> pages_;
};

}  // namespace sluice::runtime
