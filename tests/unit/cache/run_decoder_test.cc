// SPDX-License-Identifier: Apache-2.0
#include "cache/run_decoder.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "blobs.h"
#include "cache/run.h"

namespace sluice::cache {
namespace {

constexpr std::byte kOld{0xee};  // what memory held before

// Both forms of a run of `blob`.
struct Memory {
  Memory(const testing::TestBlob& the_blob, const BlobLayout& the_layout, ChunkSpan the_run)
      : blob(the_blob),
        layout(the_layout),
        run(the_run),
        stored(StoredBytes(layout, run).length, kOld),
        plain(PlainBlocks(layout, run).length, kOld) {}

  // As a file does; returns the parts.
  std::vector<iovec> ReadInPlace() {
    std::vector<iovec> parts = PlacesOf(layout, run, stored, plain);
    ConstBytes rest = ConstBytes(blob.stored).subspan(StoredBytes(layout, run).offset, stored.size());
    for (const iovec& part : parts) {
      const ConstBytes bytes = rest.first(part.iov_len);
      std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(part.iov_base));
      rest = rest.subspan(part.iov_len);
    }
    CHECK(rest.empty());
    return parts;
  }
  bool IsRight() const {
    const ByteRange blocks = PlainBlocks(layout, run);
    const ConstBytes right = blob.Plain(blocks.offset, blocks.length);
    return std::equal(plain.begin(), plain.end(), right.begin(), right.end());
  }

  const testing::TestBlob& blob;
  const BlobLayout& layout;
  const ChunkSpan run;
  std::vector<std::byte> stored;
  std::vector<std::byte> plain;
  codec::ChunkDecoder decoder;
};

// The longest run at each chunk.
std::vector<ChunkSpan> RunsOf(const BlobLayout& layout) {
  const ChunkMap map(layout.all().size());
  const RunLimits wide{.plain_bytes = 1 << 20, .stored_bytes = 1 << 20, .stored_gap = 4096};
  std::vector<ChunkSpan> runs;
  for (uint32_t first = 0; first < map.count(); ++first) runs.push_back(RunAt(layout, map, first, map.count(), wide));
  return runs;
}

}  // namespace

TEST_CASE("a run that is read in place is decoded to the same bytes") {
  uint32_t longest = 0;
  for (const Compression compression : {Compression::kZstd, Compression::kLz4Block, Compression::kNone}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const testing::TestBlob blob = testing::MakeBlob({.chunks = 24, .seed = seed, .compression = compression});
      const BlobLayout layout(blob.blob);
      for (const ChunkSpan run : RunsOf(layout)) {
        longest = std::max(longest, run.size());
        Memory memory(blob, layout, run);
        memory.ReadInPlace();
        const auto failures =
            DecodeRun(layout, run, memory.stored, memory.plain, memory.decoder, Uncompressed::kInPlace);
        CHECK(failures.empty());
        CHECK(memory.IsRight());
      }
    }
  }
  CHECK(longest > 3);
}

TEST_CASE("nothing of an uncompressed run is read beside its place, and blocks that touch are one part") {
  const testing::TestBlob blob =
      testing::MakeBlob({.chunks = 8, .min_size = 8192, .max_size = 8192, .compression = Compression::kNone});
  const BlobLayout layout(blob.blob);
  Memory memory(blob, layout, RunsOf(layout).front());
  REQUIRE(memory.run.size() > 1);
  CHECK(memory.ReadInPlace().size() == 1);
  CHECK(std::all_of(memory.stored.begin(), memory.stored.end(), [](std::byte byte) { return byte == kOld; }));
  CHECK(memory.IsRight());
}

TEST_CASE("a chunk that is read in place is verified") {
  testing::TestBlob blob = testing::MakeBlob({.chunks = 6, .compression = Compression::kNone});
  const BlobLayout layout(blob.blob);
  const ChunkSpan run{2, 3};
  blob.stored[layout.chunk(2).stored_offset] ^= std::byte{1};
  Memory memory(blob, layout, run);
  memory.ReadInPlace();
  const auto failures = DecodeRun(layout, run, memory.stored, memory.plain, memory.decoder, Uncompressed::kInPlace);
  REQUIRE(failures.size() == 1);
  CHECK(failures.front().position == 2);
  CHECK(failures.front().error.code() == Errc::kCorrupt);
}

}  // namespace sluice::cache
