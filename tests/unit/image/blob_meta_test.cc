// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/blob_meta.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "codec/chunk_codec.h"
#include "image/rafs/bootstrap_reader.h"
#include "unit/image/data.h"

namespace sluice::image::rafs {
namespace {

// The chunk info of `blob`, decompressed, and its header, both from the blob file or the separate blob that holds them.
BlobMeta ReadMeta(const Blob& blob, ConstBytes file, std::vector<std::byte>& plain) {
  const BlobMetaHeader header = ParseBlobMetaHeader(
      Slice(file, blob.ci_offset + blob.ci_stored_size, kBlobMetaHeaderSize, "header"), blob.id.hex());
  plain.resize(header.ci_plain_size);
  codec::ChunkDecoder().Decode(header.ci_compression, Slice(file, blob.ci_offset, blob.ci_stored_size, "chunk info"),
                               plain);
  return ParseBlobMeta(header, plain, blob.id.hex());
}

std::vector<Chunk> SomeChunks(bool with_crc) {
  Chunk large{
      .index = 0, .plain_offset = 0, .stored_offset = 5, .plain_size = 1 << 24, .stored_size = 1, .compressed = true};
  Chunk small{
      .index = 1, .plain_offset = 1 << 24, .stored_offset = (uint64_t{1} << 40) - 1, .plain_size = 1, .stored_size = 1};
  Chunk last{.index = 2,
             .plain_offset = (uint64_t{1} << 44) - 4096,
             .stored_offset = 0,
             .plain_size = 4096,
             .stored_size = 4095,
             .compressed = true};
  if (with_crc) small.crc32 = 0xDEADBEEF;
  return {large, small, last};
}

void CheckSame(const std::vector<ChunkInfo>& infos, const std::vector<Chunk>& chunks) {
  REQUIRE(infos.size() == chunks.size());
  for (size_t i = 0; i < infos.size(); ++i) {
    INFO("chunk " << i);
    CHECK(infos[i].plain_offset == chunks[i].plain_offset);
    CHECK(infos[i].plain_size == chunks[i].plain_size);
    CHECK(infos[i].stored_offset == chunks[i].stored_offset);
    CHECK(infos[i].stored_size == chunks[i].stored_size);
    CHECK(infos[i].compressed == chunks[i].compressed);
  }
}

BlobMetaHeader HeaderFor(uint32_t features, uint32_t chunks) {
  BlobMetaHeader header{.features = features, .chunk_count = chunks};
  header.ci_plain_size = header.ci_stored_size = chunks * header.entry_size();
  return header;
}

}  // namespace

TEST_CASE("the chunk info of images made by nydus says what their chunk tables say") {
  for (const char* name : {"dir-zstd", "dir-lz4-4k", "prefetch", "tar-lz4-toc"}) {
    INFO(name);
    const std::string folder = std::string("made/") + name + "/";
    const Blob blob = ValidateBootstrap(ReadData(folder + "image.boot")).blobs.at(0);
    std::vector<std::byte> plain;
    const BlobMeta meta = ReadMeta(blob, ReadData(folder + "blobs/" + blob.id.hex()), plain);
    CheckSame(meta.chunks, blob.chunks);
    CHECK(BuildChunkInfoV1(blob.chunks) == plain);
  }
}

TEST_CASE("the chunk info of a batch blob names batches that hold its small chunks") {
  const Blob blob = ValidateBootstrap(ReadData("made/batch-64k/image.boot")).blobs.at(0);
  std::vector<std::byte> plain;
  const BlobMeta meta = ReadMeta(blob, ReadData("made/batch-64k/blobs/" + blob.id.hex()), plain);
  REQUIRE(meta.chunks.size() == 192);
  CHECK_FALSE(meta.batches.empty());
  size_t in_batches = 0;
  for (size_t i = 0; i < meta.chunks.size(); ++i) {
    CHECK(meta.chunks[i].plain_offset == blob.chunks[i].plain_offset);
    CHECK(meta.chunks[i].plain_size == blob.chunks[i].plain_size);
    in_batches += meta.chunks[i].kind == ChunkInfo::Kind::kBatch ? 1 : 0;
  }
  CHECK(in_batches > 100);
}

TEST_CASE("the chunk info of a zran blob is in its separate blob") {
  const Blob blob = ValidateBootstrap(ReadData("made/zran/image.boot")).blobs.at(0);
  CHECK(blob.meta_digest.Hex() == "ea9cede1c270156fefa1a6ed384e97d17eaf4d4aeca394cdc1ef42a1d3e3f57b");
  std::vector<std::byte> plain;
  const BlobMeta meta = ReadMeta(blob, ReadData("made/zran/blobs/" + blob.meta_digest.Hex()), plain);
  CHECK(meta.chunks.size() == 184);
  CHECK_FALSE(meta.zran.empty());
  for (const ChunkInfo& info : meta.chunks) CHECK(info.kind == ChunkInfo::Kind::kZran);
}

TEST_CASE("the cache file of a zran blob has 163 chunks and 21 contexts") {
  const auto bytes = ReadData("233c72f2b6b698c07021c4da367cfe2dff4f049efbaa885ca0ff760ea297865a.blob.meta");
  const BlobMetaHeader header = ParseBlobMetaHeader(ConstBytes(bytes).subspan(0xA2000), "cache");
  CHECK(header.features == 0xF);
  CHECK(header.chunk_count == 163);
  CHECK(header.context_offset == 163 * kChunkInfoV2Size);
  const BlobMeta meta = ParseBlobMeta(header, bytes, "cache");
  CHECK(meta.chunks.size() == 163);
  REQUIRE(meta.zran.size() == 21);
  CHECK(meta.zran[1].dictionary.size() == 32768);
}

TEST_CASE("chunk infos of both versions survive building and parsing") {
  const auto v1 = SomeChunks(false);
  CheckSame(ParseBlobMeta(HeaderFor(blob_feature::kAligned, 3), BuildChunkInfoV1(v1), "blob").chunks, v1);
  // 24 bits of stored size: V2 does not subtract one.
  const auto v2 = SomeChunks(true);
  const BlobMeta meta =
      ParseBlobMeta(HeaderFor(blob_feature::kAligned | blob_feature::kChunkInfoV2, 3), BuildChunkInfoV2(v2), "blob");
  CheckSame(meta.chunks, v2);
  CHECK(meta.chunks[1].crc32 == 0xDEADBEEF);
  CHECK_FALSE(meta.chunks[0].crc32);
}

TEST_CASE("a chunk that a chunk info cannot express is refused") {
  const std::vector<Chunk> good = SomeChunks(false);
  void (*const changes[])(Chunk&) = {
      [](Chunk& chunk) { chunk.plain_size = 0; },
      [](Chunk& chunk) { chunk.plain_size = (1 << 24) + 1; },
      [](Chunk& chunk) { chunk.plain_offset = 1; },
      [](Chunk& chunk) { chunk.plain_offset = uint64_t{1} << 45; },
      [](Chunk& chunk) { chunk.stored_size = 0; },
      [](Chunk& chunk) { chunk.stored_size = (1 << 24) + 1; },
      [](Chunk& chunk) { chunk.stored_offset = uint64_t{1} << 40; },
  };
  for (const auto change : changes) {
    std::vector<Chunk> chunks = good;
    change(chunks[0]);
    CHECK_THROWS_WITH(BuildChunkInfoV1(chunks), Catch::Contains("chunk 0"));
    CHECK_THROWS_WITH(BuildChunkInfoV2(chunks), Catch::Contains("chunk 0"));
  }
  // V1 tells compressed chunks by their sizes.
  std::vector<Chunk> chunks = good;
  chunks[1].compressed = true;
  CHECK_THROWS_AS(BuildChunkInfoV1(chunks), Error);
  CHECK_NOTHROW(BuildChunkInfoV2(chunks));
}

TEST_CASE("a blob meta header survives building and parsing") {
  const BlobMetaHeader header{.features = 0xF,
                              .ci_compression = Compression::kZstd,
                              .chunk_count = 2,
                              .ci_offset = 7,
                              .ci_stored_size = 100,
                              .ci_plain_size = 128,
                              .context_offset = 48,
                              .context_size = 80,
                              .context_count = 2};
  const auto bytes = BuildBlobMetaHeader(header);
  CHECK(ParseBlobMetaHeader(bytes, "blob") == header);
  for (size_t size = 0; size < bytes.size(); size += 7)
    CHECK_THROWS_AS(ParseBlobMetaHeader(ConstBytes(bytes).first(size), "blob"), Error);
}

TEST_CASE("a hostile blob meta header is refused by the field") {
  const BlobMetaHeader good{.features = 0xF,
                            .chunk_count = 2,
                            .ci_stored_size = 128,
                            .ci_plain_size = 128,
                            .context_offset = 48,
                            .context_size = 80,
                            .context_count = 2};
  struct Case {
    uint64_t at;
    uint64_t value;
    const char* field;
  };
  for (const Case& c :
       {Case{0, 0, "magic"}, Case{4088, 0, "magic"}, Case{8, uint64_t{2} << 32 | 4, "ci_compressor"},
        Case{8, uint64_t{0x1000001} << 32, "ci_entries"}, Case{8, uint64_t{6} << 32, "of 6 chunks"},
        Case{24, 129, "ci_compressed_size"}, Case{32, UINT64_MAX, "ci_uncompressed_size"},
        Case{32, 127, "ci_uncompressed_size"}, Case{40, 47, "contexts"}, Case{40, UINT64_MAX, "contexts"},
        Case{48, 79, "contexts"}, Case{48, UINT64_MAX, "contexts"}, Case{56, 3, "contexts"}}) {
    INFO(c.at << " " << c.value);
    auto bytes = BuildBlobMetaHeader(good);
    StoreLe<uint64_t>(bytes.data() + c.at, c.value);
    CHECK_THROWS_WITH(ParseBlobMetaHeader(bytes, "blob"), Catch::Contains(c.field));
  }
}

TEST_CASE("hostile chunk infos and contexts are refused by the field") {
  // Two chunks: the first in a context, the second plain; one context of 5000 plain bytes.
  const auto build = [](uint64_t kind_flag) {
    ByteWriter writer;
    writer.Append<uint64_t>(uint64_t{4095} << 32 | kind_flag << 56);
    writer.Append<uint64_t>(0);
    writer.Append<uint64_t>(904);
    writer.Append<uint64_t>(1 | uint64_t{99} << 32);
    writer.Append<uint64_t>(uint64_t{50} << 40);
    writer.Append<uint64_t>(0);
    const bool zran = kind_flag == 2;
    writer.Append<uint64_t>(zran ? 0 : uint64_t{5000} << 32 | 700);
    writer.Append<uint64_t>(0);
    writer.Append<uint64_t>(0);
    writer.Append<uint64_t>(zran ? uint64_t{5000} << 32 | 700 : 0);
    writer.Append<uint64_t>(zran ? 8 | uint64_t{7} << 40 : 0);
    writer.Append<uint64_t>(0x6464646464646464);
    return std::move(writer).Finish();
  };
  const auto header = [](uint32_t kind) {
    return BlobMetaHeader{.features = blob_feature::kAligned | blob_feature::kChunkInfoV2 | kind,
                          .chunk_count = 2,
                          .ci_stored_size = 96,
                          .ci_plain_size = 96,
                          .context_offset = 48,
                          .context_size = 48,
                          .context_count = 1};
  };
  struct Case {
    uint64_t flag;
    uint32_t feature;
    uint64_t at;
    uint64_t value;
    const char* field;
  };
  constexpr uint64_t kUnchanged = 0x6464646464646464;
  for (const Case& c : {
           Case{2, blob_feature::kZran, 88, kUnchanged, ""},
           Case{4, blob_feature::kBatch, 88, kUnchanged, ""},
           Case{4, blob_feature::kBatch, 16, 905, "outside of context"},
           Case{4, blob_feature::kBatch, 16, uint64_t{1} << 32, "context 1"},
           Case{2, blob_feature::kZran, 16, 905, "outside of context"},
           Case{2, blob_feature::kZran, 16, uint64_t{1} << 32, "context 1"},
           Case{2, blob_feature::kZran, 48, UINT64_MAX, "in_offset"},
           Case{2, blob_feature::kZran, 56, UINT64_MAX, "out_offset"},
           Case{2, blob_feature::kZran, 64, 1, "zran dictionary"},
           Case{2, blob_feature::kZran, 80, 32769, "dict_size"},
           Case{2, blob_feature::kZran, 80, uint64_t{8} << 40, "ctx_bits"},
           Case{2, blob_feature::kZran, 0, uint64_t{6} << 56, "flags"},
           Case{2, blob_feature::kZran, 0, uint64_t{0x12} << 56, "flags"},
           Case{2, blob_feature::kZran, 0, uint64_t{0x20} << 56, "flags"},
           Case{2, blob_feature::kZran, 24, uint64_t{99} << 32, "overlaps"},
           Case{2, blob_feature::kZran, 32, 0, "compressed_size"},
       }) {
    INFO(c.field << " at " << c.at);
    auto bytes = build(c.flag);
    StoreLe<uint64_t>(bytes.data() + c.at, c.value);
    if (std::string(c.field).empty()) {
      const BlobMeta meta = ParseBlobMeta(header(c.feature), bytes, "blob");
      CHECK(meta.chunks[0].offset_in_context == 904);
      CHECK(meta.zran.size() + meta.batches.size() == 1);
      if (!meta.zran.empty()) CHECK(meta.zran[0].dictionary.size() == 8);
    } else {
      CHECK_THROWS_WITH(ParseBlobMeta(header(c.feature), bytes, "blob"), Catch::Contains(c.field));
    }
    CHECK_THROWS_AS(ParseBlobMeta(header(c.feature), ConstBytes(bytes).first(95), "blob"), Error);
  }
}

}  // namespace sluice::image::rafs
