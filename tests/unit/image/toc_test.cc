// SPDX-License-Identifier: Apache-2.0
// Sections at the end of a blob: tar framing, table of contents, inlined bootstrap, and the rule for the blob's id.

#include "image/rafs/toc.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec/chunk_codec.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/bootstrap_reader.h"
#include "image/rafs/reverse_tar.h"
#include "unit/image/data.h"

namespace sluice::image::rafs {
namespace {

const std::string kZstdBlob = "be7d77eeb719f70884758d1aa800ed0fb09d701aaec469964e9d54325f0d5fef";
const std::string kInlineBlob22 = "2fa78cad554b75ac91a4a125ed148d0ddeb25efa4aaa8bd80e5dc292690a4dca";
const std::string kInlineBlob24 = "fd4414e957b8050896a6de3db9bf11a73b05b1dc19eb040fa2789f65def42734";
const std::string kTocBlob = "d9ff370896fd2ea5f34b80a7d7251b64a921dbd96785e5aae587c79b70fbacbe";

ConstBytes TailOf(const std::vector<std::byte>& blob) {
  return ConstBytes(blob).last(std::min<size_t>(blob.size(), kMaxTocSize));
}

std::string IdOf(const std::vector<std::byte>& blob) {
  Hasher hasher(DigestAlgorithm::kSha256);
  for (const ByteRange& range : BlobIdRanges(blob.size(), ParseToc(TailOf(blob), blob.size())))
    hasher.Update(Slice(blob, range.offset, range.length, "blob"));
  return hasher.Finish().Hex();
}

std::vector<std::byte> InlinedBootstrapOf(const std::vector<std::byte>& blob) {
  const InlinedBootstrap found = FindInlinedBootstrap(TailOf(blob), blob.size());
  std::vector<std::byte> plain(found.plain_size);
  codec::ChunkDecoder().Decode(found.compression, Slice(blob, found.stored.offset, found.stored.length, "bootstrap"),
                               plain);
  if (found.plain_digest) CHECK(DigestOf(DigestAlgorithm::kSha256, plain) == *found.plain_digest);
  return plain;
}

std::vector<TocEntry> SomeEntries() {
  return {{.name = "image.blob",
           .compression = Compression::kNone,
           .plain_digest = DigestOf(DigestAlgorithm::kSha256, AsBytes("data")),
           .stored = {0, 100},
           .plain_size = 4096},
          {.name = "blob.meta.header", .compression = Compression::kZstd, .stored = {100, 50}, .plain_size = 60},
          {.name = "image.boot", .compression = Compression::kLz4Block, .stored = {150, 10}, .plain_size = 20}};
}

}  // namespace

TEST_CASE("a section header survives building and parsing") {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << 33) - 1}) {
    const auto bytes = BuildSectionHeader("image.blob", size);
    CHECK(ParseSectionHeader(bytes) == SectionHeader{.name = "image.blob", .size = size});
    for (size_t i = 0; i < bytes.size(); ++i) {
      auto damaged = bytes;
      damaged[i] ^= std::byte{1};
      CHECK_THROWS_AS(ParseSectionHeader(damaged), Error);
    }
    CHECK_THROWS_AS(ParseSectionHeader(ConstBytes(bytes).first(511)), Error);
  }
  CHECK_THROWS_AS(BuildSectionHeader("image.blob", uint64_t{1} << 33), Error);
  CHECK_THROWS_AS(BuildSectionHeader("", 1), Error);
  CHECK_THROWS_AS(BuildSectionHeader(std::string(101, 'n'), 1), Error);
}

TEST_CASE("section headers are those of nydus, byte for byte") {
  const auto blob = ReadData(kZstdBlob);
  struct Case {
    uint64_t at;
    const char* name;
    uint64_t size;
  };
  for (const Case& c : {Case{7802, "image.blob", 7802}, Case{12442, "blob.meta", 4128}, Case{13018, "blob.digest", 64},
                        Case{14042, "rafs.blob.toc", 512}}) {
    INFO(c.name);
    const auto built = BuildSectionHeader(c.name, c.size);
    CHECK(std::memcmp(built.data(), blob.data() + c.at, built.size()) == 0);
    CHECK(ParseSectionHeader(ConstBytes(blob).subspan(c.at)) == SectionHeader{.name = c.name, .size = c.size});
  }
}

TEST_CASE("a table of contents survives building and parsing") {
  const std::vector<TocEntry> entries = SomeEntries();
  std::vector<std::byte> blob(160);
  const auto built = BuildToc(entries);
  blob.insert(blob.end(), built.begin(), built.end());
  const auto toc = ParseToc(blob, blob.size());
  REQUIRE(toc);
  CHECK(toc->entries == entries);
  CHECK(toc->size == built.size());
  CHECK(toc->digest == DigestOf(DigestAlgorithm::kSha256, built));
  CHECK(toc->Find("image.boot") != nullptr);
  CHECK(toc->Find("blob.meta") == nullptr);
}

TEST_CASE("the table of contents of a nydus blob is the one its bootstrap names") {
  const auto toc = ParseToc(TailOf(ReadData("made/tar-lz4-toc/blobs/" + kTocBlob)), 802826);
  REQUIRE(toc);
  const Blob blob = ValidateBootstrap(ReadData("made/tar-lz4-toc/image.boot")).blobs.at(0);
  CHECK(toc->size == blob.toc_size);
  CHECK(toc->digest == blob.toc_digest);
  REQUIRE(toc->Find("blob.meta") != nullptr);
  CHECK(toc->Find("blob.meta")->stored == ByteRange{blob.ci_offset, blob.ci_stored_size});
  CHECK(toc->Find("blob.meta")->compression == Compression::kLz4Block);
  CHECK(BuildToc(toc->entries) == [] {
    const auto bytes = ReadData("made/tar-lz4-toc/blobs/" + kTocBlob);
    return std::vector<std::byte>(bytes.end() - 1024, bytes.end());
  }());
}

TEST_CASE("the id of a blob is the sha256 of its bytes without the chunk digests") {
  CHECK(IdOf(ReadData(kZstdBlob)) == kZstdBlob);
  CHECK(IdOf(ReadData(kInlineBlob22)) == kInlineBlob22);
  CHECK(IdOf(ReadData("made/inline/blobs/" + kInlineBlob24)) == kInlineBlob24);
  CHECK(IdOf(ReadData("made/tar-lz4-toc/blobs/" + kTocBlob)) == kTocBlob);
  const std::string plain = "53ea634f96ea90967ea8ecebfe0303925970dccf46fedb9132fc17890323c7a7";
  CHECK(IdOf(ReadData("made/dir-zstd/blobs/" + plain)) == plain);
}

TEST_CASE("a bootstrap is found inside of its blob") {
  const auto blob = ReadData(kInlineBlob22);
  const InlinedBootstrap found = FindInlinedBootstrap(TailOf(blob), blob.size());
  CHECK(found.stored == ByteRange{7997, 501});
  CHECK(found.compression == Compression::kZstd);
  CHECK(found.plain_size == 20480);
  const BootstrapSummary summary =
      ValidateBootstrap(InlinedBootstrapOf(blob), {.inlined_id = BlobId::Parse(kInlineBlob22)});
  CHECK(summary.blobs.at(0).id.hex() == kInlineBlob22);
  auto named = InlinedBootstrapOf(blob);
  StoreInlinedId(named, BlobId::Parse(kInlineBlob22));
  CHECK(ValidateBootstrap(named).blobs == summary.blobs);
}

TEST_CASE("the inlined bootstrap of nydus 2.4 describes its blob") {
  const auto bytes = InlinedBootstrapOf(ReadData("made/inline/blobs/" + kInlineBlob24));
  CHECK_THROWS_WITH(ParseBootstrap(bytes), Catch::Contains("blob_id"));
  const Image image = ParseBootstrap(bytes, {.inlined_id = BlobId::Parse(kInlineBlob24)});
  CHECK(image.tree.size() == 200);
  REQUIRE(image.blobs.size() == 1);
  CHECK(image.blobs[0].id.hex() == kInlineBlob24);
  CHECK((image.blobs[0].features & blob_feature::kInlinedFsMeta) != 0);
  CHECK(image.blobs[0].chunks.size() == 200);
  CHECK_NOTHROW(RequireServable(image.blobs[0]));
}

TEST_CASE("a bootstrap without table of contents ends its blob") {
  std::vector<std::byte> blob(100 + 4096, std::byte{7});
  const auto header = BuildSectionHeader(section_name::kBootstrap, 4096);
  blob.insert(blob.end(), header.begin(), header.end());
  CHECK_FALSE(ParseToc(blob, blob.size()));
  const InlinedBootstrap found = FindInlinedBootstrap(blob, blob.size());
  CHECK(found.stored == ByteRange{100, 4096});
  CHECK(found.compression == Compression::kNone);
  CHECK_FALSE(found.plain_digest);
}

TEST_CASE("a blob without table of contents has neither contents nor bootstrap") {
  const auto blob = ReadData("made/dir-zstd/blobs/53ea634f96ea90967ea8ecebfe0303925970dccf46fedb9132fc17890323c7a7");
  CHECK_FALSE(ParseToc(TailOf(blob), blob.size()));
  try {
    FindInlinedBootstrap(TailOf(blob), blob.size());
    FAIL("found");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kNotFound);
  }
  CHECK_FALSE(ParseToc({}, 0));
}

TEST_CASE("a hostile table of contents is refused by the field") {
  const std::vector<std::byte> data(160);
  struct Case {
    const char* text;
    void (*change)(std::vector<TocEntry>&);
  };
  const Case cases[] = {
      {"twice", [](std::vector<TocEntry>& entries) { entries[1].name = "image.boot"; }},
      {"'blob.meta.header': 11 bytes",
       [](std::vector<TocEntry>& entries) {
         entries[1].stored = {150, 11};
       }},
      {"'blob.meta.header'",
       [](std::vector<TocEntry>& entries) {
         entries[1].stored = {UINT64_MAX, 1};
       }},
      {"'image.blob'",
       [](std::vector<TocEntry>& entries) {
         entries[0].stored = {0, UINT64_MAX};
       }},
      {"above", [](std::vector<TocEntry>& entries) { entries[2].plain_size = uint64_t{1} << 31; }},
      {"without compression", [](std::vector<TocEntry>& entries) { entries[2].compression = Compression::kNone; }},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    std::vector<TocEntry> entries = SomeEntries();
    c.change(entries);
    std::vector<std::byte> blob = data;
    const auto toc = BuildToc(entries);
    blob.insert(blob.end(), toc.begin(), toc.end());
    CHECK_THROWS_WITH(FindInlinedBootstrap(blob, blob.size()), Catch::Contains(c.text));
  }

  std::vector<std::byte> flags = BuildToc(SomeEntries());
  flags[0] = std::byte{3};
  CHECK_THROWS_WITH(ParseToc(flags, flags.size() + 160), Catch::Contains("flags"));
  const auto header_with = [](uint64_t size) {
    const auto header = BuildSectionHeader(section_name::kToc, size);
    return std::vector<std::byte>(header.begin(), header.end());
  };
  CHECK_THROWS_WITH(ParseToc(header_with(0), 512), Catch::Contains("whole entries"));
  CHECK_THROWS_WITH(ParseToc(header_with(128), 512), Catch::Contains("whole entries"));
  CHECK_THROWS_WITH(ParseToc(header_with(127), 4096), Catch::Contains("whole entries"));
  CHECK_THROWS_WITH(ParseToc(header_with(uint64_t{1} << 32), 4096), Catch::Contains("above"));
}

TEST_CASE("a blob cut anywhere in its tail is refused or has no table of contents") {
  const auto blob = ReadData(kZstdBlob);
  for (size_t cut = 1; cut < 1600; ++cut) {
    const ConstBytes rest = ConstBytes(blob).first(blob.size() - cut);
    try {
      CHECK_FALSE(ParseToc(rest, rest.size()));
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
    }
  }
}

TEST_CASE("a table of contents that cannot be stored is refused") {
  std::vector<TocEntry> entries = SomeEntries();
  CHECK_THROWS_AS(BuildToc({}), Error);
  entries[0].name = std::string(17, 'n');
  CHECK_THROWS_WITH(BuildToc(entries), Catch::Contains("name"));
  entries[0] = {.name = "image.blob", .compression = Compression::kGzip};
  CHECK_THROWS_WITH(BuildToc(entries), Catch::Contains("gzip"));
}

}  // namespace sluice::image::rafs
