// SPDX-License-Identifier: Apache-2.0
// The tables of a RAFS v6 bootstrap, one by one: built and parsed back.

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/chunk_address.h"
#include "image/rafs/chunk_table.h"
#include "image/rafs/inode_space.h"
#include "image/rafs/prefetch_table.h"
#include "image/rafs/super_block_ext.h"
#include "unit/image/sample.h"

namespace sluice::image::rafs {
namespace {

Blob FullBlob() {
  Blob blob{.id = BlobId::Parse(std::string(64, 'e'))};
  blob.chunk_count = 3;
  blob.compression = Compression::kGzip;
  blob.digester = DigestAlgorithm::kSha256;
  blob.features = blob_feature::kAligned | blob_feature::kHasToc;
  blob.stored_size = uint64_t{1} << 40;
  blob.plain_size = uint64_t{1} << 44;
  blob.toc_size = 1024;
  blob.toc_digest = DigestOf(DigestAlgorithm::kSha256, AsBytes("toc"));
  blob.ci_compression = Compression::kLz4Block;
  blob.ci_offset = 12345;
  blob.ci_stored_size = 47;
  blob.ci_plain_size = 48;
  blob.meta_digest = DigestOf(DigestAlgorithm::kSha256, AsBytes("meta"));
  blob.meta_size = 99;
  blob.cipher_iv = 0x1122334455667788;
  blob.cipher = 1;
  return blob;
}

std::vector<Blob> WithoutChunks(std::vector<Blob> blobs) {
  for (Blob& blob : blobs) blob.chunks.clear();
  return blobs;
}

}  // namespace

TEST_CASE("a super block extension survives storing and parsing") {
  for (const Compression compression :
       {Compression::kNone, Compression::kLz4Block, Compression::kGzip, Compression::kZstd}) {
    for (const DigestAlgorithm digester : {DigestAlgorithm::kBlake3, DigestAlgorithm::kSha256}) {
      std::vector<std::byte> bytes(32768, std::byte{0xA5});
      SuperBlockExt super{.compression = compression,
                          .digester = digester,
                          .chunk_size = 1 << 24,
                          .blob_table = {4096, 512},
                          .chunk_table = {8192, 160},
                          .prefetch_table = {4608, 8}};
      StoreSuperBlockExt(super, bytes);
      const SuperBlockExt parsed = ParseSuperBlockExt(bytes);
      super.flags = parsed.flags;  // compressor and digester come back as bits, too
      CHECK(parsed == super);
    }
  }
}

TEST_CASE("a blob entry survives storing and parsing") {
  const Blob blob = FullBlob();
  std::vector<std::byte> bytes(kBlobEntrySize, std::byte{0xA5});
  StoreBlobEntry(blob, 7, 8192, bytes);
  CHECK(ParseBlobEntry(bytes, 7, 8192, std::nullopt) == blob);
  CHECK_THROWS_AS(ParseBlobEntry(ConstBytes(bytes).first(255), 7, 8192, std::nullopt), Error);
}

TEST_CASE("only a blob that holds the bootstrap takes the id of the blob it was found in") {
  const BlobId other = BlobId::Parse(std::string(64, 'f'));
  struct Case {
    uint32_t features;
    bool replaced;
  };
  for (const Case& c : {Case{blob_feature::kCapTarToc, false}, Case{0, true},
                        Case{blob_feature::kCapTarToc | blob_feature::kInlinedFsMeta, true}}) {
    Blob blob = FullBlob();
    blob.features = blob_feature::kAligned | c.features;
    std::vector<std::byte> bytes(kBlobEntrySize);
    StoreBlobEntry(blob, 0, 8192, bytes);
    CHECK(ParseBlobEntry(bytes, 0, 8192, other).id == (c.replaced ? other : blob.id));
    CHECK(ParseBlobEntry(bytes, 0, 8192, std::nullopt).id == blob.id);
    std::fill_n(bytes.begin(), 64, std::byte{'x'});
    CHECK_THROWS_WITH(ParseBlobEntry(bytes, 0, 8192, std::nullopt), Catch::Contains("blob_id"));
  }
}

TEST_CASE("each feature that needs more than the chunk table is named when it is refused") {
  const std::pair<uint32_t, const char*> features[] = {
      {blob_feature::kBatch, "batch"},       {blob_feature::kZran, "zran"},   {blob_feature::kEncrypted, "encrypted"},
      {blob_feature::kSeparate, "separate"}, {blob_feature::kTarfs, "tarfs"}, {blob_feature::kExternal, "external"}};
  for (const auto& [feature, name] : features) {
    Blob blob = FullBlob();
    CHECK_NOTHROW(RequireServable(blob));
    blob.features |= feature;
    CHECK_THROWS_WITH(RequireServable(blob), Catch::Contains(name) && Catch::Contains(blob.id.hex()));
  }
}

TEST_CASE("a chunk table survives building and parsing, sorted by digest") {
  Image image = SampleImage();
  image.blobs[0].chunks[2].crc32 = 0xDEADBEEF;
  const auto table = BuildChunkTable(image.blobs);
  REQUIRE(table.size() == 10 * kChunkEntrySize);
  for (size_t at = kChunkEntrySize; at < table.size(); at += kChunkEntrySize)
    CHECK(std::memcmp(table.data() + at - kChunkEntrySize, table.data() + at, 32) < 0);
  std::vector<Blob> blobs = WithoutChunks(image.blobs);
  ParseChunkTable(table, image.chunk_size, blobs);
  CHECK(blobs == image.blobs);
}

TEST_CASE("the chunk of zeros is in the table and in no blob") {
  Image image = SampleImage();
  image.blobs[1].chunk_count = 3;
  image.zeros = ZeroChunk{.blob = 1, .chunk = {.index = 2, .plain_offset = kHoleOffset, .plain_size = 4096}};
  image.zeros->chunk.stored_size = 1;
  image.zeros->chunk.compressed = true;
  const auto table = BuildChunkTable(image.blobs, image.zeros);
  REQUIRE(table.size() == 11 * kChunkEntrySize);
  std::vector<Blob> blobs = WithoutChunks(image.blobs);
  CHECK(ParseChunkTable(table, image.chunk_size, blobs) == image.zeros);
  CHECK(blobs == image.blobs);

  std::vector<std::byte> twice = table;
  twice.insert(twice.end(), table.begin(), table.begin() + kChunkEntrySize);  // its digest is the lowest: all zeros
  std::vector<Blob> refused = WithoutChunks(image.blobs);
  CHECK_THROWS_WITH(ParseChunkTable(twice, image.chunk_size, refused), Catch::Contains("'uncompressed_offset'"));
  image.zeros->chunk.plain_size = 4095;
  refused = WithoutChunks(image.blobs);
  CHECK_THROWS_WITH(ParseChunkTable(BuildChunkTable(image.blobs, image.zeros), image.chunk_size, refused),
                    Catch::Contains("'uncompressed_size'"));
}

TEST_CASE("the layout digest tells apart what the cache must not share") {
  const std::vector<Blob> blobs = SampleImage().blobs;
  const Digest digest = LayoutDigest(blobs[0]);
  CHECK(LayoutDigest(SampleImage().blobs[0]) == digest);
  CHECK(LayoutDigest(blobs[1]) != digest);
  void (*const changes[])(Blob&) = {
      [](Blob& blob) { blob.chunks[3].digest.bytes[31] ^= std::byte{1}; },
      [](Blob& blob) { blob.chunks[3].stored_offset += 1; },
      [](Blob& blob) { blob.chunks[3].compressed = !blob.chunks[3].compressed; },
      [](Blob& blob) { blob.chunks.pop_back(); },
      [](Blob& blob) { blob.compression = Compression::kNone; },
      [](Blob& blob) { blob.digester = DigestAlgorithm::kSha256; },
      [](Blob& blob) { blob.plain_size += 4096; },
  };
  for (const auto change : changes) {
    Blob blob = blobs[0];
    change(blob);
    CHECK(LayoutDigest(blob) != digest);
  }
}

TEST_CASE("a chunk address keeps 24 bits of chunk index") {
  for (const ChunkAddress& address :
       {ChunkAddress{0, 0, 0}, {0, 0xFFFF, 1}, {0, 0x10000, 2}, {253, 0xFFFFFF, 0xFFFFFFFE}})
    CHECK(ToChunkAddress(ToChunkIndex(address)) == address);
  // Device 1, chunk 1 at block 5: words of the nydus 2.2 fixture.
  CHECK(ToChunkIndex({.blob = 0, .chunk = 1, .block = 5}) ==
        erofs::ChunkIndex{.advise = 1, .device_id = 1, .block = 5});
}

TEST_CASE("a prefetch table leaves out patterns without a match") {
  ByteWriter table;
  for (const uint32_t nid : {835, 0, 215, 0}) table.Append<uint32_t>(nid);
  CHECK(ParsePrefetchTable(std::move(table).Finish()) == std::vector<uint32_t>{835, 215});
}

TEST_CASE("inodes that may not cross a block leave a gap that others fill") {
  InodeSpace space(4096);
  CHECK(space.Take(4000, false) == 4096);
  CHECK(space.Take(200, true) == 8192);  // 96 bytes were left
  CHECK(space.Take(64, false) == 8096);  // 4000 is rounded up to the next slot
  CHECK(space.Take(64, true) == 8192 + 224);
  CHECK(space.Take(4096, true) == 12288);
  CHECK(space.end() == 16384);
}

}  // namespace sluice::image::rafs
