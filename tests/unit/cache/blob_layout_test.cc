// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_layout.h"

#include <catch2/catch.hpp>
#include <functional>

#include "base/error.h"

namespace sluice::cache {
namespace {

// Three chunks: [0, 5000), [8192, 12288), hole of one block, [16384, 16385).
image::rafs::Blob SmallBlob() {
  const auto chunk = [](uint32_t index, uint64_t plain, uint32_t plain_size, uint64_t stored, uint32_t stored_size) {
    return image::rafs::Chunk{.index = index,
                              .plain_offset = plain,
                              .stored_offset = stored,
                              .plain_size = plain_size,
                              .stored_size = stored_size,
                              .compressed = plain_size != stored_size};
  };
  return image::rafs::Blob{
      .id = BlobId::Parse(std::string(64, 'a')),
      .chunk_count = 4,
      .stored_size = 9000,
      .plain_size = 20480,
      .chunks = {chunk(0, 0, 5000, 0, 3000), chunk(1, 8192, 4096, 3000, 4096), chunk(3, 16384, 1, 8999, 1)}};
}

}  // namespace

TEST_CASE("a range is covered by the chunks that hold bytes of it") {
  const BlobLayout layout(SmallBlob());
  struct Case {
    ByteRange range;
    ChunkSpan expected;
  };
  const Case cases[] = {
      {{0, 1}, {0, 1}},
      {{0, 4096}, {0, 1}},
      {{4999, 1}, {0, 1}},
      {{4096, 4096}, {0, 1}},
      {{4999, 3194}, {0, 2}},
      {{8192, 1}, {1, 2}},
      {{8191, 2}, {1, 2}},
      {{0, 20480}, {0, 3}},
      {{12287, 4098}, {1, 3}},
      {{12287, 4097}, {1, 2}},
      {{16384, 4096}, {2, 3}},
      {{0, UINT64_MAX}, {0, 3}},
      {{8192, UINT64_MAX}, {1, 3}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.range.offset, c.range.length);
    CHECK(layout.Covering(c.range) == c.expected);
  }
}

TEST_CASE("a range between chunks, behind them or without bytes needs no chunk") {
  const BlobLayout layout(SmallBlob());
  for (const ByteRange range :
       {ByteRange{12288, 4096}, ByteRange{5000, 3192}, ByteRange{16385, 4095}, ByteRange{20480, 4096},
        ByteRange{UINT64_MAX, 1}, ByteRange{8192, 0}, ByteRange{100, 0}}) {
    CAPTURE(range.offset, range.length);
    CHECK(layout.Covering(range).empty());
  }
}

TEST_CASE("chunks keep the number they have in the chunk table") {
  const BlobLayout layout(SmallBlob());
  REQUIRE(layout.all().size() == 3);
  CHECK(layout.chunk(2).index == 3);
  CHECK(layout.chunk_bytes() == 5000 + 4096 + 1);
}

TEST_CASE("a layout that does not hold together is refused with the chunk and the numbers") {
  using Blob = image::rafs::Blob;
  struct Case {
    const char* message;
    std::function<void(Blob&)> spoil;
  };
  const std::string blob = "blob '" + std::string(64, 'a') + "': ";
  const Case cases[] = {
      {"plain size 20481 is not a multiple", [](Blob& b) { b.plain_size = 20481; }},
      {"plain size 9223372036854775808 is not", [](Blob& b) { b.plain_size = uint64_t{1} << 63; }},
      {"stored size 9223372036854775808 exceeds", [](Blob& b) { b.stored_size = uint64_t{1} << 63; }},
      {"chunk 0 has plain size 0", [](Blob& b) { b.chunks[0].plain_size = 0; }},
      {"chunk 0 has plain size 16777217", [](Blob& b) { b.chunks[0].plain_size = kMaxChunkSize + 1; }},
      {"chunk 1 has plain offset 8193", [](Blob& b) { b.chunks[1].plain_offset = 8193; }},
      {"chunk 1 at plain offset 4096 overlaps the chunk that ends at 8192",
       [](Blob& b) { b.chunks[1].plain_offset = 4096; }},
      {"chunk 3 at plain offset 20480 with 1 bytes ends past plain size 20480",
       [](Blob& b) { b.chunks[2].plain_offset = 20480; }},
      {"chunk 3 at plain offset 18446744073709547520", [](Blob& b) { b.chunks[2].plain_offset = ~uint64_t{4095}; }},
      {"chunk 3 at stored offset 9000 with 1 bytes ends past stored size 9000",
       [](Blob& b) { b.chunks[2].stored_offset = 9000; }},
      {"chunk 3 at stored offset 18446744073709551615", [](Blob& b) { b.chunks[2].stored_offset = UINT64_MAX; }},
      {"chunk 0 has 0 stored bytes", [](Blob& b) { b.chunks[0].stored_size = 0; }},
      {"chunk 0 has 9722 stored bytes for 5000 plain bytes (compressed)",
       [](Blob& b) { b.stored_size = 1 << 20, b.chunks[0].stored_size = 5000 + 625 + 4096 + 1; }},
      {"chunk 1 has 4095 stored bytes for 4096 plain bytes (not compressed)",
       [](Blob& b) { b.chunks[1].stored_size = 4095; }},
  };
  for (const Case& c : cases) {
    Blob spoiled = SmallBlob();
    c.spoil(spoiled);
    try {
      BlobLayout layout(spoiled);
      FAIL("accepted: " << c.message);
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
      CHECK_THAT(e.message(), Catch::StartsWith(blob + c.message));
    }
  }
}

TEST_CASE("the layout digest changes with everything that a fetch relies on") {
  using Blob = image::rafs::Blob;
  const Digest original = BlobLayout(SmallBlob()).digest();
  CHECK(BlobLayout(SmallBlob()).digest() == original);
  const std::function<void(Blob&)> changes[] = {
      [](Blob& b) { b.id = BlobId::Parse(std::string(64, 'b')); },
      [](Blob& b) { b.compression = Compression::kLz4Block; },
      [](Blob& b) { b.digester = DigestAlgorithm::kSha256; },
      [](Blob& b) { b.plain_size += 4096; },
      [](Blob& b) { b.stored_size += 1; },
      [](Blob& b) { b.chunks[0].digest.bytes[31] = std::byte{1}; },
      [](Blob& b) { b.chunks[0].plain_size -= 1; },
      [](Blob& b) { b.chunks[0].stored_size -= 1; },
      [](Blob& b) { b.chunks[0].stored_offset += 1; },
      [](Blob& b) { b.chunks[1].compressed = true; },
      [](Blob& b) { b.chunks[2].index = 2; },
      [](Blob& b) { b.chunks.pop_back(); },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    Blob changed = SmallBlob();
    changes[i](changed);
    CAPTURE(i);
    CHECK(BlobLayout(changed).digest() != original);
  }
}

TEST_CASE("groups and names are advice: they tell their stored sizes and do not change what the layout is") {
  const BlobLayout plain(SmallBlob());
  CHECK(plain.group_sizes().empty());
  const BlobLayout grouped(SmallBlob(), {.groups = {1, 0, 1}, .names = {.names = {{.key = 7}}}});
  CHECK(grouped.group_sizes() == std::vector<uint64_t>{4096, 3001});
  CHECK(grouped.group(0) == 1);
  CHECK(grouped.group(1) == 0);
  CHECK(grouped.names().names.size() == 1);
  CHECK(grouped.digest() == plain.digest());
}

}  // namespace sluice::cache
