// SPDX-License-Identifier: Apache-2.0
// Images that nydus wrote (tests/data/rafs-v6) parse to what their README says, and show the tree of their tree.json.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/bootstrap_builder.h"
#include "image/rafs/bootstrap_reader.h"
#include "unit/image/data.h"

namespace sluice::image::rafs {
namespace {

struct MadeCase {
  const char* name;
  uint32_t chunk_size;
  Compression compression;
  DigestAlgorithm digester;
  size_t chunks;
  const char* unserved;  // the feature that RequireServable() names; nullptr: none
};
const MadeCase kMadeCases[] = {
    {"batch-64k", 0x20000, Compression::kZstd, DigestAlgorithm::kBlake3, 192, "batch"},
    {"dir-lz4-4k", 0x1000, Compression::kLz4Block, DigestAlgorithm::kBlake3, 470, nullptr},
    {"dir-zstd", 0x100000, Compression::kZstd, DigestAlgorithm::kBlake3, 184, nullptr},
    {"encrypt", 0x10000, Compression::kZstd, DigestAlgorithm::kBlake3, 200, "encrypted"},
    {"prefetch", 0x10000, Compression::kZstd, DigestAlgorithm::kBlake3, 200, nullptr},
    {"tar-lz4-toc", 0x10000, Compression::kLz4Block, DigestAlgorithm::kBlake3, 200, nullptr},
    {"zran", 0x100000, Compression::kGzip, DigestAlgorithm::kSha256, 184, "zran"},
};

std::vector<std::byte> ReadMade(const MadeCase& made) {
  return ReadData("made/" + std::string(made.name) + "/image.boot");
}

std::map<std::string, InodeId> PathsOf(const Tree& tree) {
  std::map<std::string, InodeId> paths{{".", tree.root()}};
  std::vector<std::pair<std::string, InodeId>> pending{{"", tree.root()}};
  while (!pending.empty()) {
    const auto [prefix, directory] = pending.back();
    pending.pop_back();
    for (const auto& [name, id] : tree.Get(directory).entries) {
      paths[prefix + name] = id;
      if (tree.Get(id).type == FileType::kDirectory) pending.emplace_back(prefix + name + "/", id);
    }
  }
  return paths;
}

FileType TypeOfKind(const std::string& kind) {
  static const std::map<std::string, FileType> kTypes{
      {"file", FileType::kRegular},   {"dir", FileType::kDirectory},   {"sym", FileType::kSymlink},
      {"chr", FileType::kCharDevice}, {"blk", FileType::kBlockDevice}, {"fifo", FileType::kFifo},
      {"sock", FileType::kSocket},
  };
  return kTypes.at(kind);
}

std::string HexOf(const std::string& value) {
  std::string hex;
  for (const char c : value) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

void CheckInode(const Inode& inode, const nlohmann::json& expected, bool check_mtime) {
  CHECK(inode.type == TypeOfKind(expected.at("kind")));
  CHECK(inode.permissions == expected.at("mode"));
  CHECK(inode.uid == expected.at("uid"));
  CHECK(inode.gid == expected.at("gid"));
  if (check_mtime) {
    const double mtime = static_cast<double>(inode.mtime.seconds) + inode.mtime.nanoseconds / 1e9;
    CHECK(std::abs(mtime - expected.at("mtime").get<double>()) < 1e-6);
  }
  if (inode.type == FileType::kRegular) CHECK(inode.size == expected.at("size"));
  if (inode.type == FileType::kSymlink) CHECK(inode.symlink_target == expected.at("link"));
  if (inode.type == FileType::kCharDevice || inode.type == FileType::kBlockDevice) {
    CHECK(inode.device.major == expected.at("dev").at(0));
    CHECK(inode.device.minor == expected.at("dev").at(1));
  }
  std::map<std::string, std::string> xattrs;
  for (const auto& [name, value] : inode.xattrs) xattrs[name] = HexOf(value);
  CHECK(xattrs == expected.at("xattrs").get<std::map<std::string, std::string>>());
}

// `tree` has the paths, attributes and hard links of tests/data/rafs-v6/made/<name>/tree.json.
void CheckTree(const Tree& tree, const std::string& name) {
  const std::vector<std::byte> text = ReadData("made/" + name + "/tree.json");
  const auto expected = nlohmann::json::parse(AsText(text));
  const std::map<std::string, InodeId> paths = PathsOf(tree);
  CHECK(paths.size() == expected.size());
  std::map<std::string, InodeId> by_expected_id;
  std::set<InodeId> inodes;
  for (const auto& [path, entry] : expected.items()) {
    INFO(name << ": " << path);
    REQUIRE(paths.count(path) == 1);
    const InodeId id = paths.at(path);
    // For directory sources nydus takes the time of the build for the root.
    CheckInode(tree.Get(id), entry, path != ".");
    CHECK(by_expected_id.try_emplace(entry.at("id"), id).first->second == id);
    inodes.insert(id);
  }
  CHECK(by_expected_id.size() == inodes.size());
}

}  // namespace

TEST_CASE("images that nydus made show the tree of their tree.json") {
  for (const MadeCase& made : kMadeCases) {
    INFO(made.name);
    const Image image = ParseBootstrap(ReadMade(made));
    CHECK(image.chunk_size == made.chunk_size);
    CHECK(image.compression == made.compression);
    CHECK(image.digester == made.digester);
    REQUIRE(image.blobs.size() == 1);
    CHECK(image.blobs[0].chunks.size() == made.chunks);
    CHECK(image.blobs[0].chunk_count == made.chunks);
    CheckTree(image.tree, made.name);
  }
}

TEST_CASE("validation sees the blobs that parsing sees") {
  for (const MadeCase& made : kMadeCases) {
    INFO(made.name);
    const auto bytes = ReadMade(made);
    const Image image = ParseBootstrap(bytes);
    const BootstrapSummary summary = ValidateBootstrap(bytes);
    CHECK(summary.blobs == image.blobs);
    CHECK(summary.chunk_size == image.chunk_size);
    CHECK(summary.compression == image.compression);
    CHECK(summary.digester == image.digester);
    CHECK(summary.inodes == image.tree.size());
  }
}

TEST_CASE("a blob that cannot be served is refused by the name of its feature") {
  for (const MadeCase& made : kMadeCases) {
    INFO(made.name);
    const Blob blob = ValidateBootstrap(ReadMade(made)).blobs.at(0);
    if (made.unserved == nullptr) {
      CHECK_NOTHROW(RequireServable(blob));
      continue;
    }
    try {
      RequireServable(blob);
      FAIL("served");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kUnsupported);
      CHECK(e.message().find(blob.id.hex()) != std::string::npos);
      CHECK(e.message().find(made.unserved) != std::string::npos);
    }
  }
}

TEST_CASE("what nydus wrote survives building it again") {
  for (const MadeCase& made : kMadeCases) {
    INFO(made.name);
    Image image = ParseBootstrap(ReadMade(made));
    const auto built = BuildBootstrap(image);
    CHECK(BuildBootstrap(image) == built);
    Image again = ParseBootstrap(built);
    CheckTree(again.tree, made.name);
    CHECK(again.prefetch.size() == image.prefetch.size());
    for (Image* each : {&image, &again}) each->blobs[0].mapped_block = 0;
    CHECK(again.blobs == image.blobs);
    CHECK(BuildBootstrap(again) == built);
  }
}

TEST_CASE("the prefetch table of the prefetch case names files of its tree") {
  const Image image = ParseBootstrap(ReadMade(kMadeCases[4]));
  CHECK(image.prefetch.size() == 3);
}

TEST_CASE("a bootstrap of nydus 2.2 parses to what its README says") {
  const Image image = ParseBootstrap(ReadData("rafs-v6-2.2.boot"));
  CHECK(image.compression == Compression::kZstd);
  CHECK(image.digester == DigestAlgorithm::kBlake3);
  CHECK(image.chunk_size == 1 << 20);
  const auto paths = PathsOf(image.tree);
  REQUIRE(paths.size() == 3);
  CHECK(image.tree.Get(paths.at("lib.rs")).size == 16931);
  CHECK(image.tree.Get(paths.at("sync_io.rs")).size == 13400);

  REQUIRE(image.blobs.size() == 1);
  const Blob& blob = image.blobs[0];
  CHECK(blob.id.hex() == "be7d77eeb719f70884758d1aa800ed0fb09d701aaec469964e9d54325f0d5fef");
  CHECK(blob.mapped_block == 512);
  CHECK(blob.plain_size == 9 * 4096);
  CHECK(blob.stored_size == 14554);
  CHECK(blob.toc_size == 1024);
  REQUIRE(blob.chunks.size() == 2);
  CHECK(blob.chunks[0].plain_size == 16931);
  CHECK(blob.chunks[0].stored_size == 4828);
  CHECK(blob.chunks[1].plain_offset == 20480);
  CHECK(blob.chunks[1].stored_offset == 4828);
  CHECK(blob.chunks[1].compressed);
  CHECK_FALSE(blob.chunks[1].crc32);
}

TEST_CASE("a bootstrap without blobs is an empty tree") {
  const Image image = ParseBootstrap(ReadData("made/dir-zstd/image.external"));
  CHECK(image.blobs.empty());
  CHECK(image.tree.size() == 1);
}

}  // namespace sluice::image::rafs
