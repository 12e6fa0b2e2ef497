// SPDX-License-Identifier: Apache-2.0
#include "cache/chunk_map.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/rng.h"

namespace sluice::cache {

TEST_CASE("a chunk set finds the first absent position like a plain loop does") {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    const auto count = static_cast<uint32_t>(1 + rng.Below(300));
    const auto percent = static_cast<unsigned>(rng.Below(101));
    ChunkSet set(count);
    std::vector<bool> model(count);
    for (uint32_t i = 0; i < count; ++i) {
      if (!rng.Chance(percent)) continue;
      set.Add(i);
      model[i] = true;
    }
    CHECK(set.Count() == static_cast<uint32_t>(std::count(model.begin(), model.end(), true)));
    const auto first = static_cast<uint32_t>(rng.Below(count));
    const auto end = static_cast<uint32_t>(first + rng.Below(count - first + 1));
    uint32_t expected = first;
    while (expected < end && model[expected]) ++expected;
    CAPTURE(count, first, end);
    CHECK(set.FirstAbsent({first, end}) == expected);
  }
}

TEST_CASE("a chunk goes from missing over claimed to ready, or back") {
  ChunkMap map(100);
  map.Claim({10, 13});
  CHECK_FALSE(map.IsMissing(10));
  CHECK_FALSE(map.IsReady(10));
  CHECK(map.FirstMissing({10, 20}) == 13);
  map.MarkReady(10);
  map.GiveUp(11);
  CHECK(map.IsReady(10));
  CHECK(map.IsMissing(11));
  CHECK(map.ready_count() == 1);
  CHECK(map.FirstNotReady({10, 13}) == 11);
  CHECK_FALSE(map.complete());
}

TEST_CASE("a map is complete when its last chunk is ready") {
  ChunkMap map(65);
  map.Claim({0, 65});
  for (uint32_t i = 0; i < 64; ++i) map.MarkReady(i);
  CHECK_FALSE(map.complete());
  map.MarkReady(64);
  CHECK(map.complete());
  CHECK(map.AreReady({0, 65}));
  CHECK(ChunkMap(0).complete());
}

TEST_CASE("unsaved pages hold what became ready since the last save, page by page") {
  constexpr uint32_t kPageChunks = ChunkMap::kPageWords * 64;
  ChunkMap map(2 * kPageChunks + 5);
  CHECK(map.UnsavedPages().empty());
  map.Claim({kPageChunks + 3, kPageChunks + 5});
  CHECK(map.UnsavedPages().empty());  // claimed is not ready
  map.MarkReady(kPageChunks + 3);

  const auto pages = map.UnsavedPages();
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].number == 1);
  CHECK(pages[0].words[0] == ChunkSet::Word{1} << 3);

  map.MarkReady(kPageChunks + 4);  // after the snapshot: not part of that save
  map.MarkSaved(pages);
  const auto later = map.UnsavedPages();
  REQUIRE(later.size() == 1);
  map.MarkSaved(later);
  CHECK(map.UnsavedPages().empty());

  map.Claim({2 * kPageChunks + 4, 2 * kPageChunks + 5});
  map.MarkReady(2 * kPageChunks + 4);
  REQUIRE(map.UnsavedPages().size() == 1);
  CHECK(map.UnsavedPages()[0].number == 2);
}

TEST_CASE("what was not saved can be forgotten; claims stay") {
  ChunkMap map(70);
  map.Claim({0, 70});
  map.MarkReady(1);
  map.MarkSaved(map.UnsavedPages());
  map.MarkReady(2);
  map.MarkReady(69);
  map.ForgetUnsaved();
  CHECK(map.IsReady(1));
  CHECK(map.IsMissing(2));
  CHECK(map.IsMissing(69));
  CHECK_FALSE(map.IsMissing(3));
  CHECK(map.ready_count() == 1);
  map.MarkReady(3);
  CHECK(map.ready_count() == 2);
}

TEST_CASE("a ready chunk that turns out to be absent is missing again, however it became ready") {
  ChunkSet found(70);
  found.Add(1);
  ChunkMap map(70, found);
  map.Claim({2, 3});
  map.MarkReady(2);
  map.Forget(1);
  map.Forget(2);
  CHECK(map.ready_count() == 0);
  CHECK(map.FirstMissing({0, 70}) == 0);
  map.Claim({1, 3});
  map.MarkReady(1);
  CHECK(map.IsReady(1));
  CHECK_FALSE(map.IsReady(2));
}

}  // namespace sluice::cache
