// SPDX-License-Identifier: Apache-2.0
#include "oci/tar_layer.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec/chunk_codec.h"
#include "codec/gzip_encoder.h"
#include "oci/documents.h"
#include "oci/tar_writer.h"
#include "support/streams.h"
#include "unit/oci/tar_bytes.h"

namespace sluice::oci {
namespace {

using test::GnuLong;
using test::kGnuMagic;
using test::Pax;
using test::SparseMember;
using test::TarEnd;
using test::TarMemberBytes;

struct File {
  LayerEntry entry;
  std::string data;              // with holes as zeros
  std::vector<uint64_t> pieces;  // offsets and lengths in turn
};

std::vector<File> ReadLayer(std::string stored, LayerExpectations expected = {}, size_t piece = SIZE_MAX) {
  const auto reader =
      OpenTarLayer(std::make_unique<test::MemorySource>(std::move(stored), piece), "layer 7", std::move(expected));
  std::vector<File> files;
  while (auto entry = reader->Next()) {
    File& file = files.emplace_back();
    file.entry = *std::move(entry);
    file.data.resize(file.entry.size);
    while (const auto data = reader->NextData()) {
      file.data.replace(data->offset, data->bytes.size(), AsText(data->bytes));
      if (file.pieces.size() > 1 && file.pieces[file.pieces.size() - 2] + file.pieces.back() == data->offset) {
        file.pieces.back() += data->bytes.size();
      } else {
        file.pieces.insert(file.pieces.end(), {data->offset, data->bytes.size()});
      }
    }
  }
  return files;
}

void CheckRefused(const std::string& tar, Errc code, const std::string& part, LayerExpectations expected = {}) {
  try {
    (void)ReadLayer(tar, std::move(expected));
    FAIL_CHECK("accepted");
  } catch (const Error& e) {
    CHECK(e.code() == code);
    CHECK_THAT(e.what(), Catch::StartsWith("layer 7") && Catch::Contains(part));
  }
}

LayerEntry ReadEntry(const std::string& member) {
  const auto files = ReadLayer(member + TarEnd());
  REQUIRE(files.size() == 1);
  return files[0].entry;
}

std::string Gzip(std::string_view plain) {
  test::MemorySink sink;
  codec::GzipEncoder encoder(sink, 6);
  encoder.Write(AsBytes(plain));
  encoder.Finish();
  return sink.text;
}

std::string Zstd(std::string_view plain) {
  codec::ChunkEncoder encoder(Compression::kZstd, 3);
  std::vector<std::byte> frame(plain.size());
  frame.resize(encoder.Encode(AsBytes(plain), frame).value());
  return std::string(AsText(frame));
}

Digest Sha256(std::string_view text) { return DigestOf(DigestAlgorithm::kSha256, AsBytes(text)); }

std::string SmallLayer() {
  return TarMemberBytes({.name = "dir/", .type = '5', .mode = "0000755"}) +
         TarMemberBytes({.name = "dir/file", .content = std::string(700, 'x')}) +
         Pax({{"path", "dir/link"}, {"linkpath", "target"}}) + TarMemberBytes({.name = "l", .type = '2'}) + TarEnd();
}

}  // namespace

TEST_CASE("entries of every type are read with all their attributes") {
  const std::string tar =
      TarMemberBytes({.name = "./", .type = '5', .mode = "0001777"}) +
      TarMemberBytes({.name = "/usr//bin/./su",
                      .content = "abc",
                      .mode = "0104755",
                      .uid = "0000012",
                      .gid = "0000034",
                      .mtime = "14524501234"}) +
      TarMemberBytes({.name = "hard", .type = '1', .link = "./usr/bin/su"}) +
      TarMemberBytes({.name = "soft", .type = '2', .link = "../x"}) +
      TarMemberBytes({.name = "null", .type = '3'},
                     [](std::string& h) {
                       test::Put(h, 329, "0000001");
                       test::Put(h, 337, "0000003");
                     }) +
      TarMemberBytes({.name = "disk", .type = '4'},
                     [](std::string& h) {
                       test::Put(h, 329, "0007777");
                       test::Put(h, 337, "3777777");
                     }) +
      // As Python's tarfile writes it: nothing in the device fields.
      TarMemberBytes({.name = "pipe", .type = '6'}, [](std::string& h) { test::Put(h, 329, std::string(16, '\0')); }) +
      TarMemberBytes({.name = "old/", .type = '\0', .magic = std::string(8, '\0')}) +
      TarMemberBytes({.name = "contiguous", .type = '7', .content = "x"}) + TarEnd();
  const auto files = ReadLayer(tar);
  REQUIRE(files.size() == 9);
  CHECK(files[0].entry.path.empty());
  CHECK(files[0].entry.type == EntryType::kDirectory);
  CHECK(files[0].entry.permissions == 01777);
  const LayerEntry& su = files[1].entry;
  CHECK(su.path == std::vector<std::string>{"usr", "bin", "su"});
  CHECK(su.Name() == "usr/bin/su");
  CHECK(su.permissions == 04755);
  CHECK(su.uid == 10);
  CHECK(su.gid == 28);
  CHECK(su.mtime_seconds == 1699906204);
  CHECK(files[1].data == "abc");
  CHECK(files[2].entry.type == EntryType::kHardLink);
  CHECK(files[2].entry.link_path == su.path);
  CHECK(files[3].entry.symlink_target == "../x");
  CHECK(files[4].entry.type == EntryType::kCharDevice);
  CHECK(files[4].entry.device_major == 1);
  CHECK(files[4].entry.device_minor == 3);
  CHECK(files[5].entry.type == EntryType::kBlockDevice);
  CHECK(files[5].entry.device_major == 4095);
  CHECK(files[5].entry.device_minor == 1048575);
  CHECK(files[6].entry.type == EntryType::kFifo);
  CHECK(files[7].entry.type == EntryType::kDirectory);
  CHECK(files[8].entry.type == EntryType::kRegular);
}

TEST_CASE("names are raw bytes, wherever they stand and whatever the locale") {
  const std::string raw = "na\xC3\xAFve \xFF\xFE \xE2\x80\xA6";
  const std::string decomposed = "nai\xCC\x88ve";
  const std::string long_name = std::string(200, 'd') + "/" + raw;
  CHECK(ReadEntry(TarMemberBytes({.name = raw})).Name() == raw);
  CHECK(ReadEntry(Pax({{"path", raw}}) + TarMemberBytes({})).Name() == raw);
  CHECK(ReadEntry(Pax({{"path", decomposed}}) + TarMemberBytes({})).Name() == decomposed);
  CHECK(ReadEntry(Pax({{"path", raw}, {"hdrcharset", "BINARY"}}) + TarMemberBytes({})).Name() == raw);
  CHECK(ReadEntry(GnuLong('L', long_name) + TarMemberBytes({.magic = kGnuMagic})).Name() == long_name);
  CHECK(ReadEntry(TarMemberBytes({.name = "b", .prefix = "a/" + raw})).Name() == "a/" + raw + "/b");
  CHECK(ReadEntry(TarMemberBytes({.name = std::string(100, 'n')})).Name() == std::string(100, 'n'));
  CHECK(ReadEntry(Pax({{"linkpath", raw}}) + TarMemberBytes({.type = '2'})).symlink_target == raw);
  CHECK(ReadEntry(GnuLong('K', raw) + TarMemberBytes({.type = '2', .link = "short", .magic = kGnuMagic}))
            .symlink_target == raw);
  const LayerEntry hard =
      ReadEntry(GnuLong('K', long_name) + GnuLong('L', raw) + TarMemberBytes({.type = '1', .magic = kGnuMagic}));
  CHECK(hard.Name() == raw);
  CHECK(hard.link_path == std::vector<std::string>{std::string(200, 'd'), raw});
  // Names of users and groups do not matter.
  CHECK(ReadEntry(Pax({{"uname", raw}, {"gname", raw}}) + TarMemberBytes({})).uid == 0);
}

TEST_CASE("names and links up to the limits of POSIX are read") {
  const std::string component(255, 'c');
  std::string path = component;
  while (path.size() + 256 <= kMaxPathLength) path += "/" + component;
  const std::string target(kMaxSymlinkLength, 't');
  const LayerEntry entry = ReadEntry(Pax({{"path", path}, {"linkpath", target}}) + TarMemberBytes({.type = '2'}));
  CHECK(entry.Name() == path);
  CHECK(entry.symlink_target == target);
}

TEST_CASE("owners up to 2^32 - 2, times before 1970 and below the second are read") {
  const LayerEntry pax =
      ReadEntry(Pax({{"uid", "4294967294"}, {"gid", "3000000000"}, {"mtime", "-1.25"}}) + TarMemberBytes({}));
  CHECK(pax.uid == 4294967294);
  CHECK(pax.gid == 3000000000);
  CHECK(pax.mtime_seconds == -2);
  CHECK(pax.mtime_nanoseconds == 750'000'000);
  const LayerEntry gnu = ReadEntry(TarMemberBytes({.uid = std::string("\x80\0\0\0\xff\xff\xff\xfe", 8),
                                                   .gid = std::string("\x80\0\0\0\xb2\xd0\x5e\0", 8),
                                                   .mtime = std::string(11, '\xff') + "\xfe",
                                                   .magic = kGnuMagic}));
  CHECK(gnu.uid == 4294967294);
  CHECK(gnu.gid == 3000000000);
  CHECK(gnu.mtime_seconds == -2);
  CHECK(gnu.mtime_nanoseconds == 0);
}

TEST_CASE("extended attributes and ACLs are read") {
  const std::string capability("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  const std::string acl_text = "user::rw-,user:5:r--,group::r--,mask::r--,other::---";
  const LayerEntry entry = ReadEntry(Pax({{"SCHILY.xattr.security.capability", capability},
                                          {"SCHILY.xattr.user.empty", ""},
                                          {"LIBARCHIVE.xattr.user.twice", "dmFsdWU"},
                                          {"SCHILY.xattr.user.twice", "value"},
                                          {"SCHILY.acl.access", acl_text}}) +
                                     TarMemberBytes({.mode = "0000640"}));
  CHECK(entry.xattrs.size() == 4);
  CHECK(entry.xattrs.at("security.capability") == capability);
  CHECK(entry.xattrs.at("user.empty").empty());
  CHECK(entry.xattrs.at("user.twice") == "value");
  CHECK(entry.xattrs.at("system.posix_acl_access").size() == 44);
  CHECK(entry.permissions == 0640);
  // The raw attribute counts when both are there.
  const LayerEntry raw = ReadEntry(
      Pax({{"SCHILY.acl.access", acl_text}, {"SCHILY.xattr.system.posix_acl_access", "raw"}}) + TarMemberBytes({}));
  CHECK(raw.xattrs.at("system.posix_acl_access") == "raw");
}

TEST_CASE("holes of sparse files stay holes, in all formats of GNU") {
  struct Case {
    const char* name;
    std::string member;
  };
  const std::string data = std::string(512, 'd') + std::string(512, 'd');
  const Case cases[] = {
      {"1.0", SparseMember("2\n1024\n512\n3072\n512\n", 1024)},
      {"0.1", Pax({{"GNU.sparse.size", "4096"},
                   {"GNU.sparse.numblocks", "2"},
                   {"GNU.sparse.name", "sparse"},
                   {"GNU.sparse.map", "1024,512,3072,512"}}) +
                  TarMemberBytes({.content = data})},
      {"0.0", Pax({{"GNU.sparse.size", "4096"},
                   {"GNU.sparse.numblocks", "2"},
                   {"GNU.sparse.offset", "1024"},
                   {"GNU.sparse.numbytes", "512"},
                   {"GNU.sparse.offset", "3072"},
                   {"GNU.sparse.numbytes", "512"},
                   {"path", "sparse"}}) +
                  TarMemberBytes({.content = data})},
      {"old", TarMemberBytes({.name = "sparse", .type = 'S', .content = data, .magic = kGnuMagic},
                             [](std::string& h) {
                               test::Put(h, 386, "00000002000");
                               test::Put(h, 398, "00000001000");
                               test::Put(h, 410, "00000006000");
                               test::Put(h, 422, "00000001000");
                               test::Put(h, 483, "00000010000");
                             })},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const auto files = ReadLayer(c.member + TarMemberBytes({.name = "next"}) + TarEnd());
    REQUIRE(files.size() == 2);
    CHECK(files[0].entry.Name() == "sparse");
    CHECK(files[0].entry.size == 4096);
    CHECK(files[0].pieces == std::vector<uint64_t>{1024, 512, 3072, 512});
    CHECK(files[0].data == std::string(1024, '\0') + std::string(512, 'd') + std::string(1536, '\0') +
                               std::string(512, 'd') + std::string(512, '\0'));
  }
  const auto empty = ReadLayer(SparseMember("1\n4096\n0\n", 0) + TarEnd());
  REQUIRE(empty.size() == 1);
  CHECK(empty[0].entry.size == 4096);
  CHECK(empty[0].pieces.empty());
}

TEST_CASE("a long map of an old GNU sparse file goes over several blocks") {
  std::string map(512, '\0');
  for (size_t i = 0; i < 2; ++i) {
    test::Put(map, 24 * i, fmt::format("{:011o}", 8192 * (i + 5)));
    test::Put(map, 24 * i + 12, fmt::format("{:011o}", 512));
  }
  std::string header = TarMemberBytes(
      {.name = "sparse", .type = 'S', .size = fmt::format("{:011o}", 6 * 512), .magic = kGnuMagic}, [](std::string& h) {
        for (size_t i = 0; i < 4; ++i) {
          test::Put(h, 386 + 24 * i, fmt::format("{:011o}", 8192 * (i + 1)));
          test::Put(h, 386 + 24 * i + 12, fmt::format("{:011o}", 512));
        }
        h[482] = 1;
        test::Put(h, 483, fmt::format("{:011o}", 65536));
      });
  const auto files = ReadLayer(header + map + std::string(6 * 512, 'd') + TarMemberBytes({.name = "next"}) + TarEnd());
  REQUIRE(files.size() == 2);
  CHECK(files[0].entry.size == 65536);
  CHECK(files[0].pieces ==
        std::vector<uint64_t>{8192, 512, 16384, 512, 24576, 512, 32768, 512, 40960, 512, 49152, 512});
}

TEST_CASE("the layer is the same however the stream is cut, and when data are not taken") {
  for (const size_t piece : {size_t{1}, size_t{511}, size_t{4096}}) {
    CAPTURE(piece);
    const auto files = ReadLayer(Gzip(SmallLayer()), {}, piece);
    REQUIRE(files.size() == 3);
    CHECK(files[1].data == std::string(700, 'x'));
    CHECK(files[2].entry.symlink_target == "target");
  }
  const auto reader = OpenTarLayer(std::make_unique<test::MemorySource>(SmallLayer()), "layer", {});
  std::vector<std::string> names;
  while (const auto entry = reader->Next()) names.push_back(entry->Name());
  CHECK(names == std::vector<std::string>{"dir", "dir/file", "dir/link"});
  CHECK_FALSE(reader->Next());
}

TEST_CASE("a layer cut at any byte is refused, compressed or not") {
  const std::string tar = SmallLayer();
  const std::string gzip = Gzip(tar);
  const std::string zstd = Zstd(tar);
  CHECK(ReadLayer(tar).size() == 3);
  CHECK(ReadLayer(gzip).size() == 3);
  CHECK(ReadLayer(zstd).size() == 3);
  for (const std::string& layer : {tar, gzip, zstd}) {
    for (size_t size = 0; size < layer.size(); ++size) {
      CAPTURE(size);
      CheckRefused(layer.substr(0, size), Errc::kCorrupt, "");
    }
  }
}

TEST_CASE("a layer counts only with its digest, its diff id and its size") {
  const std::string tar = SmallLayer();
  const std::string gzip = Gzip(tar);
  const Digest other = Sha256("other");
  const LayerExpectations right{.digest = Sha256(gzip), .stored_size = gzip.size(), .diff_id = Sha256(tar)};
  CHECK(ReadLayer(gzip, right).size() == 3);
  CHECK(ReadLayer(tar, {.digest = Sha256(tar), .stored_size = tar.size(), .diff_id = Sha256(tar)}).size() == 3);

  LayerExpectations wrong = right;
  wrong.digest = other;
  CheckRefused(gzip, Errc::kCorrupt, "stored data have digest " + FormatDigest(Sha256(gzip)), wrong);
  wrong = right;
  wrong.diff_id = other;
  CheckRefused(gzip, Errc::kCorrupt, "tar data have digest " + FormatDigest(Sha256(tar)), wrong);
  wrong = right;
  wrong.stored_size = gzip.size() + 1;
  CheckRefused(gzip, Errc::kCorrupt, "bytes instead of", wrong);
  CheckRefused(tar, Errc::kCorrupt, "digest", {.digest = other, .diff_id = other});
  // The digest of an uncompressed layer cannot stand for a compressed one.
  CheckRefused(gzip, Errc::kCorrupt, "gzip", {.digest = Sha256(tar), .diff_id = Sha256(tar)});
}

TEST_CASE("what is odd but clear is accepted") {
  // git archive: the commit in a global header.
  CHECK(ReadEntry(Pax({{"comment", "0123abcd"}}, 'g') + TarMemberBytes({.name = "a"})).Name() == "a");
  // Unknown records mean nothing to any reader.
  CHECK(
      ReadEntry(Pax({{"VENDOR.key", "x"}, {"atime", "1"}, {"ctime", "2.5"}}) + TarMemberBytes({.name = "a"})).Name() ==
      "a");
  // The true size in PAX, another in the header: every reader takes the former.
  const auto files =
      ReadLayer(Pax({{"size", "3"}}) + TarMemberBytes({.content = "abc", .size = "00000000000"}) + TarEnd());
  REQUIRE(files.size() == 1);
  CHECK(files[0].data == "abc");
  // Padding to a record of 20 blocks, as tar does.
  CHECK(ReadLayer(TarMemberBytes({}) + TarEnd() + std::string(8192, '\0')).size() == 1);
  // Nothing but the end.
  CHECK(ReadLayer(TarEnd()).empty());
  // Numbers with spaces, without leading zeros.
  CHECK(ReadEntry(TarMemberBytes({.mode = "   755 ", .uid = "     1 ", .size = "          0"})).uid == 1);
}

TEST_CASE("entries in front of a bad one are read, wherever the stream is cut") {
  const std::string tar = TarMemberBytes({.name = "good"}) + TarMemberBytes({.name = "../bad"}) + TarEnd();
  for (const size_t piece : {size_t{512}, SIZE_MAX}) {
    const auto reader = OpenTarLayer(std::make_unique<test::MemorySource>(tar, piece), "layer", {});
    CHECK(reader->Next()->Name() == "good");
    CHECK_THROWS_WITH(reader->Next(), Catch::Contains("entry '../bad'"));
  }
  const std::string damaged = TarMemberBytes({.name = "good"}) + std::string(512, 'x') + TarEnd();
  const auto reader = OpenTarLayer(std::make_unique<test::MemorySource>(damaged), "layer", {});
  CHECK(reader->Next()->Name() == "good");
  CHECK_THROWS_WITH(reader->Next(), "layer: tar block at 512: header with a wrong checksum");
}

TEST_CASE("the small tar writer writes what the reader reads") {
  test::MemorySink sink;
  TarWriter writer(sink);
  writer.AddDirectory("image/", 0755);
  writer.AddFile("image/image.boot", 0644, AsBytes("content"));
  writer.Finish();
  const auto files = ReadLayer(sink.text);
  REQUIRE(files.size() == 2);
  CHECK(files[0].entry.type == EntryType::kDirectory);
  CHECK(files[1].entry.permissions == 0644);
  CHECK(files[1].data == "content");
  CHECK_THROWS_AS(TarHeader(std::string(101, 'n'), TarMemberType::kFile, 0, 0), Error);

  // Above 8 GiB the size is in base 256.
  const auto big = TarHeader("big", TarMemberType::kFile, 0644, uint64_t{1} << 33);
  CheckRefused(std::string(AsText(big)) + TarEnd(), Errc::kCorrupt, "'big'");

  const auto layer = [&sink] { return OpenTarLayer(std::make_unique<test::MemorySource>(sink.text), "layer", {}); };
  CHECK(AsText(ReadFileInLayer(*layer(), "image/image.boot", 7)) == "content");
  CHECK_THROWS_WITH(ReadFileInLayer(*layer(), "image/image.boot", 6), Catch::Contains("7 bytes, more than 6"));
  CHECK_THROWS_WITH(ReadFileInLayer(*layer(), "image/other", 7), Catch::Contains("no file"));
  CHECK_THROWS_WITH(ReadFileInLayer(*layer(), "image", 7), Catch::Contains("not a regular file"));
  // A sparse file could claim any size in a few bytes.
  const auto sparse =
      OpenTarLayer(std::make_unique<test::MemorySource>(SparseMember("1\n0\n512\n", 512) + TarEnd()), "layer", {});
  CHECK_THROWS_WITH(ReadFileInLayer(*sparse, "sparse", 4096), Catch::Contains("sparse file"));
  const std::string member = TarMemberBytes({.name = "f", .content = "x"});
  const auto twice = OpenTarLayer(std::make_unique<test::MemorySource>(member + member + TarEnd()), "layer", {});
  CHECK_THROWS_WITH(ReadFileInLayer(*twice, "f", 4096), Catch::Contains("twice"));
}

}  // namespace sluice::oci
