// SPDX-License-Identifier: Apache-2.0
#include "cache/neighbours.h"

#include <catch2/catch.hpp>

namespace sluice::cache {
namespace {

constexpr uint32_t kChunks = 1000;
constexpr uint64_t kPlain = 32 * kKiB;   // of each chunk
constexpr uint64_t kStored = 10 * kKiB;  // of each chunk
constexpr RunLimits kThree{.plain_bytes = 1 * kMiB, .stored_bytes = 3 * kStored, .stored_gap = 0};

// Each chunk is as large as the next, and follows it.
BlobLayout MakeLayout(std::vector<uint32_t> groups = {}) {
  image::rafs::Blob blob{
      .id = BlobId::Parse(std::string(64, 'a')), .stored_size = kChunks * kStored, .plain_size = kChunks * kPlain};
  for (uint32_t i = 0; i < kChunks; ++i)
    blob.chunks.push_back(image::rafs::Chunk{.index = i,
                                             .plain_offset = i * kPlain,
                                             .stored_offset = i * kStored,
                                             .plain_size = kPlain,
                                             .stored_size = kStored,
                                             .compressed = true});
  return BlobLayout(blob, {.groups = std::move(groups)});
}

}  // namespace

TEST_CASE("nothing is likely before anything was read") {
  const BlobLayout layout = MakeLayout();
  CHECK(Neighbours(layout).Pick(ChunkMap(kChunks), kThree).empty());
}

TEST_CASE("what lies close to a chunk that was read is likely") {
  const BlobLayout layout = MakeLayout();
  ChunkMap map(kChunks);
  Neighbours neighbours(layout);
  neighbours.OnRead({500, 501});
  map.Claim({500, 501});
  const ChunkSpan run = neighbours.Pick(map, kThree);
  CHECK(run.size() == 3);
  CHECK(run.first >= 496);  // the chunk's own extent of 128 KiB, or the next one
  CHECK(run.end <= 508);
}

TEST_CASE("what lies between places that were read is likelier than what lies beside one") {
  const BlobLayout layout = MakeLayout();
  ChunkMap map(kChunks);
  Neighbours neighbours(layout);
  for (const uint32_t position : {100u, 500u, 512u}) {
    neighbours.OnRead({position, position + 1});
    map.Claim({position, position + 1});
  }
  const ChunkSpan run = neighbours.Pick(map, kThree);
  CHECK(run.first > 496);
  CHECK(run.end <= 516);
}

TEST_CASE("everything near a read place comes in the end, once, and nothing that is far") {
  const BlobLayout layout = MakeLayout();
  ChunkMap map(kChunks);
  Neighbours neighbours(layout);
  neighbours.OnRead({500, 501});
  map.Claim({500, 501});
  uint32_t picked = 0;
  for (ChunkSpan run; !(run = neighbours.Pick(map, kThree)).empty(); picked += run.size()) {
    CHECK(run.size() <= 3);
    CHECK(run.first >= 500 - 7 * 4);  // six extents of four chunks to either side
    CHECK(run.end <= 500 + 7 * 4);
    map.Claim(run);
  }
  CHECK(picked == 13 * 4 - 1);
}

TEST_CASE("reading the same chunk again tells nothing new") {
  const BlobLayout layout = MakeLayout();
  ChunkMap map(kChunks);
  Neighbours neighbours(layout);
  neighbours.OnRead({700, 701});
  for (int i = 0; i < 100; ++i) neighbours.OnRead({100, 101});
  neighbours.OnRead({702, 703});
  CHECK(neighbours.Pick(map, kThree).first >= 690);
}

TEST_CASE("files of a folder that is read are likelier than those of the folder beside it") {
  std::vector<uint32_t> groups(kChunks);
  for (uint32_t i = 0; i < kChunks; ++i) groups[i] = i < 501 ? 0 : 1;
  const BlobLayout layout = MakeLayout(groups);
  ChunkMap map(kChunks);
  Neighbours neighbours(layout);
  neighbours.OnRead({501, 502});
  map.Claim({501, 502});
  ChunkSpan run;
  for (int i = 0; i < 4 && !(run = neighbours.Pick(map, kThree)).empty(); ++i) {
    CHECK(run.first > 501);
    map.Claim(run);
  }
}

TEST_CASE("a blob of any size costs a bounded number of extents") {
  image::rafs::Blob blob{
      .id = BlobId::Parse(std::string(64, 'a')), .stored_size = uint64_t{1} << 60, .plain_size = uint64_t{1} << 60};
  for (uint32_t i = 0; i < 3; ++i)
    blob.chunks.push_back(image::rafs::Chunk{.index = i,
                                             .plain_offset = i * (uint64_t{1} << 59) / 2,
                                             .stored_offset = i * kStored,
                                             .plain_size = kPlain,
                                             .stored_size = kStored,
                                             .compressed = true});
  const BlobLayout layout(blob);
  ChunkMap map(3);
  Neighbours neighbours(layout);
  neighbours.OnRead({2, 3});
  map.Claim({2, 3});
  CHECK(neighbours.Pick(map, kThree).empty());
}

}  // namespace sluice::cache
