// SPDX-License-Identifier: Apache-2.0
#include "cache/chunk_map.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace sluice::cache {

uint32_t ChunkSet::FirstAbsent(ChunkSpan span) const noexcept {
  uint32_t position = span.first;
  while (position < span.end) {
    const Word absent = ~words_[position / kWordBits] >> (position % kWordBits);
    if (absent != 0) return std::min(span.end, position + static_cast<uint32_t>(std::countr_zero(absent)));
    position = (position / kWordBits + 1) * kWordBits;
  }
  return span.end;
}

uint32_t ChunkSet::Count() const noexcept {
  uint32_t count = 0;
  for (const Word word : words_) count += static_cast<uint32_t>(std::popcount(word));
  return count;
}

ChunkMap::ChunkMap(uint32_t count) : ChunkMap(count, ChunkSet(count)) {}

ChunkMap::ChunkMap(uint32_t count, ChunkSet saved)
    : count_(count), ready_count_(saved.Count()), ready_(saved), taken_(saved), saved_(std::move(saved)) {}

uint32_t ChunkMap::FirstClaimed(ChunkSpan span) const noexcept {
  uint32_t position = FirstNotReady(span);
  while (position < span.end && IsMissing(position)) position = FirstNotReady({position + 1, span.end});
  return position;
}

void ChunkMap::Claim(ChunkSpan span) noexcept {
  for (uint32_t position = span.first; position < span.end; ++position) {
    SLUICE_CHECK(IsMissing(position), "a chunk is claimed once");
    taken_.Add(position);
  }
}

void ChunkMap::MarkReady(uint32_t position) noexcept {
  SLUICE_CHECK(taken_.Has(position) && !ready_.Has(position), "only a claimed chunk becomes ready");
  ready_.Add(position);
  ++ready_count_;
}

void ChunkMap::GiveUp(uint32_t position) noexcept {
  SLUICE_CHECK(taken_.Has(position) && !ready_.Has(position), "only a claimed chunk is given up");
  taken_.Remove(position);
}

void ChunkMap::Forget(uint32_t position) noexcept {
  SLUICE_CHECK(ready_.Has(position), "only a ready chunk is forgotten");
  ready_.Remove(position);
  saved_.Remove(position);
  taken_.Remove(position);
  --ready_count_;
}

std::vector<ChunkMap::Page> ChunkMap::UnsavedPages() const {
  const auto& ready = ready_.words();
  const auto& saved = saved_.words();
  std::vector<Page> pages;
  for (size_t begin = 0; begin < ready.size(); begin += kPageWords) {
    const size_t size = std::min(kPageWords, ready.size() - begin);
    if (std::equal(ready.begin() + begin, ready.begin() + begin + size, saved.begin() + begin)) continue;
    Page& page = pages.emplace_back();
    page.number = static_cast<uint32_t>(begin / kPageWords);
    std::copy_n(ready.begin() + begin, size, page.words.begin());
  }
  return pages;
}

void ChunkMap::MarkSaved(const std::vector<Page>& pages) {
  auto& saved = saved_.words();
  for (const Page& page : pages) {
    const size_t begin = size_t{page.number} * kPageWords;
    std::copy_n(page.words.begin(), std::min(kPageWords, saved.size() - begin), saved.begin() + begin);
  }
}

void ChunkMap::ForgetUnsaved() {
  for (size_t i = 0; i < saved_.words().size(); ++i) {
    const ChunkSet::Word lost = ready_.words()[i] & ~saved_.words()[i];
    ready_.words()[i] &= ~lost;
    taken_.words()[i] &= ~lost;
  }
  ready_count_ = ready_.Count();
}

}  // namespace sluice::cache
