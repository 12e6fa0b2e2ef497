// SPDX-License-Identifier: Apache-2.0
#include "cache/read_ahead.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/rng.h"

namespace sluice::cache {
namespace {

constexpr uint64_t kBlob = 265 * kMiB;
constexpr ReadAheadLimits kLimits{};

// Plays the streamer: everything that a window covers is fetched at once.
class Player {
 public:
  explicit Player(uint64_t size = kBlob) : read_ahead_(size, kLimits), fetched_(size / kBlockSize + 1) {}

  void Read(uint64_t offset, uint64_t length) {
    Fetch({offset, length});
    if (!read_ahead_.OnDemand({offset, length})) return;
    for (size_t i = 0; i < ReadAhead::kStreams; ++i) ahead_ += Fetch(read_ahead_.Window(i));
  }
  uint64_t ahead() const { return ahead_; }    // bytes that were fetched before they were asked for
  uint64_t fetched() const { return total_; }  // all bytes

 private:
  uint64_t Fetch(ByteRange range) {
    uint64_t added = 0;
    for (uint64_t block = range.offset / kBlockSize; block * kBlockSize < range.end(); ++block) {
      if (fetched_[block]) continue;
      fetched_[block] = true;
      added += kBlockSize;
    }
    total_ += added;
    return added;
  }

  ReadAhead read_ahead_;
  std::vector<bool> fetched_;
  uint64_t ahead_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

TEST_CASE("a reader of everything has the rest fetched when it has read half of it") {
  Player player;
  uint64_t offset = 0;
  while (player.fetched() < kBlob && offset < kBlob) {
    player.Read(offset, 128 * kKiB);
    offset += 128 * kKiB;
  }
  CHECK(offset < kBlob * 6 / 10);  // the window is capped at 128 MiB
  CHECK(offset > kBlob / 4);
}

TEST_CASE("a reader of small files in order is a reader in order") {
  Player player;
  Rng rng(3);
  uint64_t offset = 0;
  while (offset < 20 * kMiB) {
    const uint64_t size = 1 + rng.Below(40 * kKiB);
    player.Read(offset, size);
    offset = AlignUp(offset + size, kBlockSize);
  }
  CHECK(player.fetched() > 35 * kMiB);
}

TEST_CASE("a reader who skips every second part is not followed") {
  Player player;
  for (uint64_t offset = 0; offset + 64 * kKiB < kBlob; offset += 128 * kKiB) player.Read(offset, 64 * kKiB);
  CHECK(player.ahead() == 0);
}

TEST_CASE("random reads fetch nothing ahead") {
  Player player;
  Rng rng(11);
  for (int i = 0; i < 2000; ++i) player.Read(AlignDown(rng.Below(kBlob - kMiB), kBlockSize), 128 * kKiB);
  CHECK(player.ahead() == 0);
}

TEST_CASE("reading the same place again and again fetches nothing ahead") {
  Player player;
  for (int i = 0; i < 1000; ++i) player.Read((i % 8) * 128 * kKiB, 128 * kKiB);
  CHECK(player.ahead() == 0);
}

TEST_CASE("what is fetched ahead of a reader who then ends grows with what was read in order") {
  struct Case {
    uint64_t read;
    uint64_t least;
    uint64_t most;
  };
  for (const Case& c : {Case{4 * kMiB, 0, 0}, Case{8 * kMiB, 2 * kMiB, 4 * kMiB}, Case{16 * kMiB, 14 * kMiB, 16 * kMiB},
                        Case{40 * kMiB, 78 * kMiB, 80 * kMiB}, Case{100 * kMiB, 115 * kMiB, 115 * kMiB}}) {
    Player player;
    const uint64_t begin = 50 * kMiB;
    for (uint64_t offset = begin; offset < begin + c.read; offset += 128 * kKiB) player.Read(offset, 128 * kKiB);
    CAPTURE(c.read);
    CHECK(player.fetched() - c.read >= c.least);
    CHECK(player.fetched() - c.read <= c.most);
  }
}

TEST_CASE("a start that reads a few large files in part and many small ones fetches little ahead") {
  Player player;
  Rng rng(5);
  uint64_t touched = 0;
  // 12 libraries, of each about half, in pieces of 128 KiB that jump.
  for (int library = 0; library < 12; ++library) {
    const uint64_t base = AlignDown(rng.Below(kBlob - 8 * kMiB), kBlockSize);
    for (int piece = 0; piece < 10; ++piece) {
      player.Read(base + rng.Below(20) * 128 * kKiB, 128 * kKiB);
      touched += 128 * kKiB;
    }
  }
  // 150 modules of 10 to 100 KiB, neighbours only now and then.
  uint64_t offset = 30 * kMiB;
  for (int module = 0; module < 150; ++module) {
    const uint64_t size = 10 * kKiB + rng.Below(90 * kKiB);
    player.Read(offset, size);
    touched += size;
    offset = AlignUp(offset + size + (rng.Chance(30) ? 0 : rng.Below(400 * kKiB)), kBlockSize);
  }
  CHECK(player.ahead() <= touched / 2);
}

TEST_CASE("eight readers in order are each followed") {
  Player player;
  for (uint64_t step = 0; step < 256; ++step) {
    for (uint64_t reader = 0; reader < 8; ++reader) player.Read(reader * 32 * kMiB + step * 64 * kKiB, 64 * kKiB);
  }
  CHECK(player.ahead() >= 8 * 4 * kMiB);
}

TEST_CASE("changing the order of neighbours does not lose the stream") {
  Player player;
  for (uint64_t pair = 0; pair < 100; ++pair) {
    player.Read(pair * 128 * kKiB + 64 * kKiB, 64 * kKiB);
    player.Read(pair * 128 * kKiB, 64 * kKiB);
  }
  CHECK(player.ahead() >= 6 * kMiB);
}

TEST_CASE("where hits are silent, a reader in order asks for little of a blob, and is led from the start") {
  ReadAheadLimits limits{.lead = kMiB, .step = 256 * kKiB};
  for (const bool silent : {false, true}) {
    limits.hits_are_silent = silent;
    ReadAhead read_ahead(kBlob, limits);
    uint64_t there = 0;  // what is before it was fetched
    int questions = 0;
    for (uint64_t offset = 0; offset < 16 * kMiB; offset += 128 * kKiB) {
      if (offset < there) continue;
      ++questions;
      read_ahead.OnDemand({offset, 128 * kKiB});
      // No window is smaller than what was read, up to the lead.
      if (silent && offset >= 128 * kKiB) CHECK(read_ahead.Window(0).length >= std::min(offset, limits.lead));
      there = std::max(offset + 128 * kKiB, read_ahead.Window(0).end());
    }
    CAPTURE(silent, questions);
    CHECK((questions < 20) == silent);
  }
}

TEST_CASE("where hits are silent, random reads and skipping fetch next to nothing ahead") {
  ReadAheadLimits limits{.lead = 4 * kMiB, .step = 256 * kKiB, .hits_are_silent = true};
  Rng rng(11);
  for (const bool skipping : {false, true}) {
    ReadAhead read_ahead(kBlob, limits);
    uint64_t ahead = 0;
    uint64_t offset = 0;
    for (int i = 0; i < 400; ++i) {
      offset = skipping ? offset + 32 * kKiB : AlignDown(rng.Below(13 * kMiB), kBlockSize);
      if (read_ahead.OnDemand({offset, 4 * kKiB})) ahead += read_ahead.Window(0).length;
    }
    CAPTURE(skipping);
    CHECK(ahead <= 400 * 4 * kKiB);
  }
}

TEST_CASE("demands at and behind the end of the blob are harmless") {
  ReadAhead read_ahead(kMiB, kLimits);
  CHECK_FALSE(read_ahead.OnDemand({kMiB, 4096}));
  CHECK_FALSE(read_ahead.OnDemand({0, 0}));
  CHECK_FALSE(read_ahead.OnDemand({UINT64_MAX, UINT64_MAX}));
  read_ahead.OnDemand({0, UINT64_MAX});
  for (size_t i = 0; i < ReadAhead::kStreams; ++i) CHECK(read_ahead.Window(i).end() <= kMiB);
}

}  // namespace sluice::cache
