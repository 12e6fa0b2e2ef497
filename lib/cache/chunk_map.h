// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the cache knows about each chunk of one blob: missing, claimed by a flight, or ready; and which ready chunks are
// on record in the map file.  Owned by the blob's shard; no I/O.

#include <array>
#include <cstdint>
#include <vector>

#include "cache/blob_layout.h"

namespace sluice::cache {

// A set of chunk positions.
class ChunkSet {
 public:
  using Word = uint64_t;
  static constexpr uint32_t kWordBits = 64;

  explicit ChunkSet(uint32_t count) : words_((count + kWordBits - 1) / kWordBits) {}

  bool Has(uint32_t position) const noexcept { return (words_[position / kWordBits] >> (position % kWordBits)) & 1; }
  void Add(uint32_t position) noexcept { words_[position / kWordBits] |= Word{1} << (position % kWordBits); }
  void Remove(uint32_t position) noexcept { words_[position / kWordBits] &= ~(Word{1} << (position % kWordBits)); }
  bool HasAll(ChunkSpan span) const noexcept { return FirstAbsent(span) == span.end; }
  // The first position of `span` that is not in the set; span.end when all are.
  uint32_t FirstAbsent(ChunkSpan span) const noexcept;
  uint32_t Count() const noexcept;

  // Bit i of word w is position 64 w + i.  Bits past the last position are zero.
  std::vector<Word>& words() noexcept { return words_; }
  const std::vector<Word>& words() const noexcept { return words_; }

 private:
  std::vector<Word> words_;
};

class ChunkMap {
 public:
  // Words of a page of the map file (map_format.h).
  static constexpr size_t kPageWords = 508;
  // The ready bits of one page at one moment.
  struct Page {
    uint32_t number = 0;
    std::array<ChunkSet::Word, kPageWords> words{};
  };

  explicit ChunkMap(uint32_t count);
  // `saved`: the chunks that the map file calls ready, or that a data file without one was found to hold.
  ChunkMap(uint32_t count, ChunkSet saved);

  uint32_t count() const noexcept { return count_; }
  uint32_t ready_count() const noexcept { return ready_count_; }
  bool complete() const noexcept { return ready_count_ == count_; }

  bool IsReady(uint32_t position) const noexcept { return ready_.Has(position); }
  bool AreReady(ChunkSpan span) const noexcept { return ready_.HasAll(span); }
  // Neither ready nor claimed.
  bool IsMissing(uint32_t position) const noexcept { return !taken_.Has(position); }
  // The first missing chunk of `span`; span.end when there is none.
  uint32_t FirstMissing(ChunkSpan span) const noexcept { return taken_.FirstAbsent(span); }
  uint32_t FirstNotReady(ChunkSpan span) const noexcept { return ready_.FirstAbsent(span); }
  uint32_t FirstClaimed(ChunkSpan span) const noexcept;

  // missing -> claimed: one flight is responsible for the chunk until MarkReady or GiveUp.
  void Claim(ChunkSpan span) noexcept;
  // claimed -> ready: its verified bytes are in the data file.
  void MarkReady(uint32_t position) noexcept;
  // claimed -> missing.
  void GiveUp(uint32_t position) noexcept;
  // ready -> missing: the data file does not hold it.  Only where no map file calls it ready.
  void Forget(uint32_t position) noexcept;

  // Pages with ready chunks that are not on record yet.  The caller syncs the data file *after* this, writes the pages,
  // and then calls MarkSaved.
  std::vector<Page> UnsavedPages() const;
  void MarkSaved(const std::vector<Page>& pages);
  bool has_unsaved() const noexcept { return ready_.words() != saved_.words(); }
  // The data file has lost what was not synced: ready chunks that are not on record are missing again.
  void ForgetUnsaved();

 private:
  uint32_t count_;
  uint32_t ready_count_ = 0;
  ChunkSet ready_;
  ChunkSet taken_;  // ready or claimed
  ChunkSet saved_;
};

}  // namespace sluice::cache
