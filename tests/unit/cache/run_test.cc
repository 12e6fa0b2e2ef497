// SPDX-License-Identifier: Apache-2.0
#include "cache/run.h"

#include <catch2/catch.hpp>

namespace sluice::cache {
namespace {

// Chunks of one block each; stored_sizes of 100 bytes each at the given offsets.
BlobLayout LayoutOf(std::vector<std::pair<uint64_t, uint64_t>> block_and_stored_offset) {
  image::rafs::Blob blob{.id = BlobId::Parse(std::string(64, 'a')), .stored_size = 1 << 30, .plain_size = 1 << 30};
  for (const auto& [block, stored] : block_and_stored_offset)
    blob.chunks.push_back(image::rafs::Chunk{.index = static_cast<uint32_t>(blob.chunks.size()),
                                             .plain_offset = block * kBlockSize,
                                             .stored_offset = stored,
                                             .plain_size = 3000,
                                             .stored_size = 100,
                                             .compressed = true});
  return BlobLayout(blob);
}

constexpr RunLimits kWide{.plain_bytes = 1 << 20, .stored_bytes = 1 << 20, .stored_gap = 50};

}  // namespace

TEST_CASE("a run takes adjacent missing chunks") {
  const BlobLayout layout = LayoutOf({{0, 0}, {1, 100}, {2, 200}, {3, 300}});
  ChunkMap map(4);
  CHECK(RunAt(layout, map, 0, 4, kWide) == ChunkSpan{0, 4});
  CHECK(RunAt(layout, map, 1, 3, kWide) == ChunkSpan{1, 3});
  map.Claim({2, 3});
  CHECK(RunAt(layout, map, 0, 4, kWide) == ChunkSpan{0, 2});
  CHECK(PlainBlocks(layout, {1, 3}) == ByteRange{4096, 8192});
  CHECK(StoredBytes(layout, {1, 3}) == ByteRange{100, 200});
  CHECK(NameOf(layout, {1, 2}) == "blob '" + std::string(64, 'a') + "', chunk 1");
  CHECK(NameOf(layout, {1, 3}) == "blob '" + std::string(64, 'a') + "', chunks 1 to 2");
}

TEST_CASE("a run ends at a hole of the cache file and where the stored order breaks") {
  const BlobLayout hole = LayoutOf({{0, 0}, {2, 100}});
  CHECK(RunAt(hole, ChunkMap(2), 0, 2, kWide) == ChunkSpan{0, 1});
  const BlobLayout small_gap = LayoutOf({{0, 0}, {1, 150}});
  CHECK(RunAt(small_gap, ChunkMap(2), 0, 2, kWide) == ChunkSpan{0, 2});
  const BlobLayout large_gap = LayoutOf({{0, 0}, {1, 151}});
  CHECK(RunAt(large_gap, ChunkMap(2), 0, 2, kWide) == ChunkSpan{0, 1});
  const BlobLayout backwards = LayoutOf({{0, 100}, {1, 0}});
  CHECK(RunAt(backwards, ChunkMap(2), 0, 2, kWide) == ChunkSpan{0, 1});
}

TEST_CASE("a run keeps to its limits but never has less than one chunk") {
  const BlobLayout layout = LayoutOf({{0, 0}, {1, 100}, {2, 200}});
  const ChunkMap map(3);
  CHECK(RunAt(layout, map, 0, 3, {.plain_bytes = 8192, .stored_bytes = 1000, .stored_gap = 0}) == ChunkSpan{0, 2});
  CHECK(RunAt(layout, map, 0, 3, {.plain_bytes = 12288, .stored_bytes = 299, .stored_gap = 0}) == ChunkSpan{0, 2});
  CHECK(RunAt(layout, map, 0, 3, {.plain_bytes = 1, .stored_bytes = 1, .stored_gap = 0}) == ChunkSpan{0, 1});
}

TEST_CASE("a run is handled in pieces, of which one ends where the chunks that readers wait for end") {
  const BlobLayout layout = LayoutOf({{0, 0}, {1, 100}, {2, 200}, {3, 300}, {4, 400}});
  const RunLimits two{.plain_bytes = 8192, .stored_bytes = 1000, .stored_gap = 0};
  CHECK(PieceAt(layout, {0, 5}, 0, 0, two) == ChunkSpan{0, 2});
  CHECK(PieceAt(layout, {0, 5}, 4, 0, two) == ChunkSpan{4, 5});
  CHECK(PieceAt(layout, {0, 5}, 0, 1, two) == ChunkSpan{0, 1});
  CHECK(PieceAt(layout, {0, 5}, 1, 1, two) == ChunkSpan{1, 3});
  CHECK(PieceAt(layout, {0, 5}, 0, 5, kWide) == ChunkSpan{0, 5});
  CHECK(PieceAt(layout, {0, 5}, 0, 0, {.plain_bytes = 1, .stored_bytes = 1, .stored_gap = 0}) == ChunkSpan{0, 1});
  CHECK(PieceAt(layout, {0, 5}, 0, 0, {.plain_bytes = 1 << 20, .stored_bytes = 299, .stored_gap = 0}) ==
        ChunkSpan{0, 2});
}

}  // namespace sluice::cache
