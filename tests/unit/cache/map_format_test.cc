// SPDX-License-Identifier: Apache-2.0
#include "cache/map_format.h"

#include <array>
#include <catch2/catch.hpp>

#include "blobs.h"

namespace sluice::cache {
namespace {

using PageBytes = std::array<std::byte, kMapPageSize>;

ChunkSet Decode(const MapIdentity& identity, uint32_t number, uint32_t count, const PageBytes& bytes) {
  ChunkSet ready(count);
  DecodeMapPage(identity, number, count, bytes, ready);
  return ready;
}

}  // namespace

TEST_CASE("a map header is recognised by the layout that it was made for, and by no other") {
  const BlobLayout layout(testing::MakeBlob({.seed = 1}).blob);
  const BlobLayout other(testing::MakeBlob({.seed = 2}).blob);
  PageBytes page;
  const MapIdentity identity = EncodeMapHeader(layout, 42, page);
  REQUIRE(DecodeMapHeader(layout, page).has_value());
  CHECK(*DecodeMapHeader(layout, page) == identity);
  CHECK_FALSE(DecodeMapHeader(other, page).has_value());

  PageBytes another;
  CHECK(EncodeMapHeader(layout, 43, another) != identity);
}

TEST_CASE("a map header with any byte changed, or cut short, is none") {
  const BlobLayout layout(testing::MakeBlob().blob);
  PageBytes page;
  EncodeMapHeader(layout, 42, page);
  for (size_t at = 0; at < page.size(); ++at) {
    PageBytes damaged = page;
    damaged[at] ^= std::byte{0x10};
    if (DecodeMapHeader(layout, damaged)) FAIL("byte " << at << " does not matter");
  }
  CHECK_FALSE(DecodeMapHeader(layout, ConstBytes(page).first(page.size() - 1)));
  CHECK_FALSE(DecodeMapHeader(layout, {}));
}

TEST_CASE("a map page gives back its chunks") {
  ChunkMap map(100000);
  for (const uint32_t position : {0u, 63u, 32511u, 32512u, 70000u, 99999u}) {
    map.Claim({position, position + 1});
    map.MarkReady(position);
  }
  ChunkSet ready(100000);
  PageBytes bytes;
  for (const ChunkMap::Page& page : map.UnsavedPages()) {
    EncodeMapPage(MapIdentity{}, page, bytes);
    DecodeMapPage(MapIdentity{}, page.number, 100000, bytes, ready);
  }
  CHECK(ready.Count() == 6);
  for (const uint32_t position : {0u, 63u, 32511u, 32512u, 70000u, 99999u}) CHECK(ready.Has(position));
}

TEST_CASE("a page that is torn, damaged, foreign or in the wrong place says nothing") {
  ChunkMap::Page page{.number = 1};
  page.words.fill(~ChunkSet::Word{0});
  const MapIdentity identity = DigestOf(DigestAlgorithm::kBlake3, AsBytes("one map"));
  PageBytes bytes;
  EncodeMapPage(identity, page, bytes);
  REQUIRE(Decode(identity, 1, 100000, bytes).Count() == 32512);

  CHECK(Decode(identity, 2, 100000, bytes).Count() == 0);
  CHECK(Decode(DigestOf(DigestAlgorithm::kBlake3, AsBytes("another map")), 1, 100000, bytes).Count() == 0);
  CHECK(Decode(identity, 1, 100000, PageBytes{}).Count() == 0);
  for (size_t sector = 0; sector < kMapPageSize; sector += 512) {
    PageBytes torn{};  // only this sector has reached the disk
    std::copy_n(bytes.begin() + sector, 512, torn.begin() + sector);
    CHECK(Decode(identity, 1, 100000, torn).Count() == 0);
  }
  for (size_t at = 0; at < bytes.size(); at += 7) {
    PageBytes damaged = bytes;
    damaged[at] ^= std::byte{1};
    if (Decode(identity, 1, 100000, damaged).Count() != 0) FAIL("byte " << at << " does not matter");
  }
}

TEST_CASE("bits behind the last chunk are not believed") {
  ChunkMap::Page page;
  page.words.fill(~ChunkSet::Word{0});
  PageBytes bytes;
  EncodeMapPage(MapIdentity{}, page, bytes);
  CHECK(Decode(MapIdentity{}, 0, 70, bytes).Count() == 70);
}

TEST_CASE("the map file has one page per 32512 chunks behind its header") {
  CHECK(MapFileSize(0) == 4096);
  CHECK(MapFileSize(1) == 8192);
  CHECK(MapFileSize(32512) == 8192);
  CHECK(MapFileSize(32513) == 12288);
}

}  // namespace sluice::cache
