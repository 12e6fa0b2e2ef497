// SPDX-License-Identifier: Apache-2.0
// What is built parses back, is the same twice, and stays small.

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "image/erofs/device_slot.h"
#include "image/erofs/inode.h"
#include "image/erofs/super_block.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/bootstrap_builder.h"
#include "image/rafs/bootstrap_reader.h"
#include "image/rafs/chunk_table.h"
#include "image/rafs/super_block_ext.h"
#include "unit/image/sample.h"

namespace sluice::image::rafs {
namespace {

// The inode and all below it, with hard links told by the first path: two trees are the same when these are.
void Describe(const Tree& tree, InodeId id, const std::string& path, std::vector<std::string>& first_paths,
              std::vector<std::pair<std::string, Inode>>& out) {
  std::string& first = first_paths[static_cast<size_t>(id)];
  if (!first.empty()) {
    out.emplace_back(path, Inode{.symlink_target = "hard link to " + first});
    return;
  }
  first = path;
  Inode inode = tree.Get(id);
  inode.entries.clear();
  out.emplace_back(path, std::move(inode));
  for (const auto& [name, child] : tree.Get(id).entries) Describe(tree, child, path + "/" + name, first_paths, out);
}

std::vector<std::pair<std::string, Inode>> Describe(const Tree& tree) {
  std::vector<std::string> first_paths(tree.size());
  std::vector<std::pair<std::string, Inode>> out;
  Describe(tree, tree.root(), ".", first_paths, out);
  return out;
}

std::vector<Blob> WithoutMapping(std::vector<Blob> blobs) {
  for (Blob& blob : blobs) blob.mapped_block = 0;
  return blobs;
}

// `image` is built, twice the same, and parses back to itself.
std::vector<std::byte> CheckRoundTrip(const Image& image) {
  std::vector<std::byte> built = BuildBootstrap(image);
  CHECK(BuildBootstrap(image) == built);
  const Image parsed = ParseBootstrap(built);
  CHECK(Describe(parsed.tree) == Describe(image.tree));
  CHECK(WithoutMapping(parsed.blobs) == WithoutMapping(image.blobs));
  CHECK(parsed.chunk_size == image.chunk_size);
  CHECK(parsed.compression == image.compression);
  CHECK(parsed.digester == image.digester);
  CHECK(parsed.prefetch.size() == image.prefetch.size());
  CHECK(BuildBootstrap(parsed) == built);
  return built;
}

erofs::InodeHeader HeaderOf(const Patched& bootstrap, std::string_view path) {
  return erofs::ParseInode(ConstBytes(bootstrap.bytes()).subspan(bootstrap.Inode(path)), {}, path);
}

}  // namespace

TEST_CASE("the sample image survives building and parsing") { CheckRoundTrip(SampleImage()); }

TEST_CASE("holes name the chunk of zeros, and stay holes") {
  Image image = SampleImage();
  const Image without = ParseBootstrap(BuildBootstrap(image));
  ++image.blobs[1].chunk_count;
  image.blobs[1].ci_plain_size = image.blobs[1].ci_stored_size += 16;
  image.zeros = ZeroChunk{.blob = 1, .chunk = {.index = 2, .plain_offset = kHoleOffset, .plain_size = 4096}};
  image.zeros->chunk.stored_size = 1;
  image.zeros->chunk.compressed = true;
  const Patched bootstrap(CheckRoundTrip(image));
  const uint64_t hole = bootstrap.ChunkArray("sparse") + erofs::kChunkIndexSize;
  CHECK(bootstrap.Load<uint16_t>(hole) == 2);      // chunk
  CHECK(bootstrap.Load<uint16_t>(hole + 2) == 2);  // blob 1
  CHECK(bootstrap.Load<uint32_t>(hole + 4) == erofs::kNullBlock);
  const Image parsed = ParseBootstrap(bootstrap.bytes());
  CHECK(parsed.zeros == image.zeros);
  CHECK(parsed.tree.Get(parsed.prefetch[1]).chunks == without.tree.Get(without.prefetch[1]).chunks);

  image.zeros->chunk.index = 3;
  CHECK_THROWS_WITH(BuildBootstrap(image), Catch::Contains("chunk 3 of 3"));
}

TEST_CASE("an image without blobs survives building and parsing") {
  Image image;
  image.chunk_size = 1 << 20;
  CHECK(CheckRoundTrip(image).size() <= 4 * kBlockSize);
}

TEST_CASE("the tables are where nydus puts them") {
  const auto built = BuildBootstrap(SampleImage());
  const erofs::SuperBlock super = erofs::ParseSuperBlock(built);
  CHECK(super.root_nid == 128);
  CHECK(super.meta_block == 2);
  CHECK(super.extra_devices == 2);
  CHECK(super.device_slot_index == 11);
  CHECK(super.blocks == 10);
  CHECK(super.inode_count == 10);
  const SuperBlockExt ext = ParseSuperBlockExt(built);
  CHECK(ext.blob_table == ByteRange{4096, 512});
  CHECK(ext.prefetch_table == ByteRange{4096 + 512, 8});
  CHECK(ext.chunk_table.end() <= built.size());
  CHECK(ext.chunk_table.length == 10 * kChunkEntrySize);
  CHECK((ext.flags & super_flag::kExplicitUidGid) != 0);
  const Image parsed = ParseBootstrap(built);
  CHECK(parsed.blobs[0].mapped_block == 128);
  CHECK(parsed.blobs[1].mapped_block == 256);
}

TEST_CASE("a file whose chunks follow each other is one large chunk for the kernel") {
  const Patched bootstrap(BuildBootstrap(SampleImage()));
  CHECK(HeaderOf(bootstrap, "file").u == (0x20 | 2));  // 16384 holds 10000 bytes
  CHECK(HeaderOf(bootstrap, "sparse").u == 0x20);
  CHECK(HeaderOf(bootstrap, "dir/inner").u == 0x20);
}

TEST_CASE("inode numbers are nids and link counts are right") {
  const Patched bootstrap(BuildBootstrap(SampleImage()));
  CHECK(HeaderOf(bootstrap, "file").link_count == 2);
  CHECK(HeaderOf(bootstrap, "").link_count == 3);
  CHECK(HeaderOf(bootstrap, "dir").link_count == 3);
  CHECK(HeaderOf(bootstrap, "dir/sub").link_count == 2);
  CHECK(HeaderOf(bootstrap, "dir/inner").ino == bootstrap.Nid("dir/inner"));
  CHECK(bootstrap.Nid("file") == bootstrap.Nid("hard"));
}

TEST_CASE("directories and symlinks of every size survive") {
  Image image;
  image.chunk_size = 4096;
  Tree& tree = image.tree;
  // Around each border: inline or not, one block or more, with and without xattrs.
  for (const size_t length : {1, 100, 3900, 4031, 4032, 4033, 4095}) {
    for (const bool with_xattr : {false, true}) {
      Inode link{.type = FileType::kSymlink, .symlink_target = std::string(length, 's')};
      if (with_xattr) link.xattrs["trusted.overlay.opaque"] = "y";
      tree.Get(tree.root()).entries[fmt::format("link-{}-{}", length, with_xattr)] = tree.Add(std::move(link));
    }
  }
  for (const size_t count : {0, 1, 14, 15, 16, 40, 200, 3000}) {
    const InodeId dir = tree.Add({.type = FileType::kDirectory});
    tree.Get(tree.root()).entries[fmt::format("dir-{}", count)] = dir;
    for (size_t i = 0; i < count; ++i)
      tree.Get(dir).entries[std::string(240, 'n') + std::to_string(i)] = tree.Add({.type = FileType::kFifo});
  }
  CheckRoundTrip(image);
}

TEST_CASE("random trees survive building and parsing") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Rng rng(seed);
    Image image = SampleImage();
    Tree& tree = image.tree;
    std::vector<InodeId> directories{tree.root()};
    for (int i = 0; i < 300; ++i) {
      const InodeId parent = directories[rng.Below(directories.size())];
      const std::string name =
          std::to_string(rng.Next()).substr(0, 1 + rng.Below(18)) + std::string(rng.Below(100), 'x');
      Inode inode;
      inode.type = static_cast<FileType>(1 + rng.Below(7));
      inode.permissions = static_cast<uint16_t>(rng.Below(010000));
      inode.uid = static_cast<uint32_t>(rng.Next());
      inode.gid = static_cast<uint32_t>(rng.Next());
      inode.mtime = {static_cast<int64_t>(rng.Next()), static_cast<uint32_t>(rng.Below(1000000000))};
      if (rng.Chance(20)) inode.xattrs["user." + std::to_string(i)] = std::string(rng.Below(5000), 'v');
      if (inode.type == FileType::kSymlink) inode.symlink_target = std::string(1 + rng.Below(4095), 't');
      if (inode.type == FileType::kRegular)
        for (uint64_t n = rng.Below(40); n != 0; --n, inode.size += 4096)
          inode.chunks.push_back(rng.Chance(50) ? FileChunk{} : FileChunk{0, static_cast<uint32_t>(rng.Below(2))});
      const bool is_directory = inode.type == FileType::kDirectory;
      const InodeId id = tree.Add(std::move(inode));
      if (!tree.Get(parent).entries.try_emplace(name, id).second) continue;
      if (is_directory) directories.push_back(id);
    }
    CheckRoundTrip(image);
  }
}

TEST_CASE("an inode without a name is left out") {
  Image image = SampleImage();
  const auto before = BuildBootstrap(image);
  image.tree.Add({.type = FileType::kSymlink, .symlink_target = "nowhere"});
  CHECK(BuildBootstrap(image) == before);
}

TEST_CASE("a chunk index above 16 bits survives in the device id") {
  Image image = SampleImage();
  Blob& blob = image.blobs[1];
  blob.chunk_count = 1 << 24;
  blob.ci_plain_size = uint64_t{16} << 24;
  blob.chunks[0].index = 0x123456;
  blob.chunks[1].index = 0xFFFFFF;
  CheckRoundTrip(image);
}

TEST_CASE("an inlined bootstrap takes the id of its blob") {
  Patched bootstrap(BuildBootstrap(SampleImage()));
  bootstrap.StoreText(bootstrap.BlobEntry(1), std::string(64, 'x'));
  bootstrap.StoreText(1408 + 128, std::string(64, 'x'));
  bootstrap.Store<uint32_t>(bootstrap.BlobEntry(1) + 84, blob_feature::kAligned | blob_feature::kInlinedFsMeta);
  CHECK_THROWS_WITH(ParseBootstrap(bootstrap.bytes()), Catch::Contains("blob_id"));
  const BlobId id = BlobId::Parse(std::string(64, 'c'));
  CHECK(ValidateBootstrap(bootstrap.bytes(), {.inlined_id = id}).blobs[1].id == id);
  CHECK(ValidateBootstrap(bootstrap.bytes(), {.inlined_id = id}).blobs[0].id == SampleImage().blobs[0].id);

  std::vector<std::byte> named = bootstrap.bytes();
  StoreInlinedId(named, id);
  CHECK(ParseBootstrap(named).blobs == ParseBootstrap(bootstrap.bytes(), {.inlined_id = id}).blobs);
  CHECK(erofs::LoadDeviceSlot(ConstBytes(named).subspan(1408 + 128)).tag == id.hex());
  // Nothing else has changed.
  Patched back(named);
  back.StoreText(back.BlobEntry(1), std::string(64, 'x'));
  back.StoreText(1408 + 128, std::string(64, 'x'));
  CHECK(back.bytes() == bootstrap.bytes());
}

TEST_CASE("an id is not stored outside of a bootstrap") {
  const BlobId id = BlobId::Parse(std::string(64, 'c'));
  const auto whole = BuildBootstrap(SampleImage());
  for (size_t size = 0; size < 8192; size += 64) {
    std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    CHECK_THROWS_AS(StoreInlinedId(cut, id), Error);
  }
  Patched lying(whole);
  lying.Store<uint16_t>(1024 + 86, 200);
  std::vector<std::byte> bytes = lying.bytes();
  CHECK_THROWS_WITH(StoreInlinedId(bytes, id), Catch::Contains("200 devices"));
}

TEST_CASE("the metadata of many small files stays small") {
  // 10 000 files of one chunk each in 1 000 directories: the shape of a Python image.
  Image image;
  image.chunk_size = 1 << 20;
  image.blobs.push_back(Blob{.id = BlobId::Parse(std::string(64, 'a'))});
  Blob& blob = image.blobs[0];
  blob.features = blob_feature::kAligned;
  Tree& tree = image.tree;
  for (uint32_t d = 0; d < 1000; ++d) {
    const InodeId dir = tree.Add({.type = FileType::kDirectory});
    tree.Get(tree.root()).entries["directory-" + std::to_string(d)] = dir;
    for (uint32_t f = 0; f < 10; ++f) {
      const auto index = static_cast<uint32_t>(blob.chunks.size());
      blob.chunks.push_back(
          {.index = index, .plain_offset = index * kBlockSize, .plain_size = 100, .stored_size = 100});
      blob.chunks.back().digest.bytes[0] = static_cast<std::byte>(index);
      tree.Get(dir).entries["module_name_" + std::to_string(f) + ".py"] =
          tree.Add({.size = 100, .chunks = {{.blob = 0, .chunk = index}}});
    }
  }
  blob.chunk_count = static_cast<uint32_t>(blob.chunks.size());
  blob.plain_size = blob.chunk_count * kBlockSize;
  blob.stored_size = 1 << 20;
  blob.ci_plain_size = blob.chunk_count * uint64_t{16};
  CHECK(CheckRoundTrip(image).size() < 2500000);
}

TEST_CASE("what a bootstrap cannot express is refused with the name of the inode or blob") {
  struct Case {
    const char* text;
    void (*change)(Image&);
  };
  const auto named = [](Image& image, const char* name) -> Inode& {
    return image.tree.Get(image.tree.Get(image.tree.root()).entries.find(name)->second);
  };
  static const auto kNamed = named;
  const Case cases[] = {
      {"chunk size 4095", [](Image& image) { image.chunk_size = 4095; }},
      {"blob aaaa", [](Image& image) { image.blobs[0].plain_size = 0; }},
      {"appears twice", [](Image& image) { image.blobs[1].id = image.blobs[0].id; }},
      {"above 254", [](Image& image) { image.blobs.resize(255, image.blobs[0]); }},
      {"is not behind chunk 0", [](Image& image) { image.blobs[0].chunks[1].index = 0; }},
      {"is not behind chunk 0", [](Image& image) { image.blobs[0].chunks[1].plain_offset = 0; }},
      {"chunk 7", [](Image& image) { image.blobs[0].chunks[7].plain_size = 4097; }},
      {"not below 8", [](Image& image) { image.blobs[0].chunks[7].index = 8; }},
      {"file 'file' of 10000 bytes has 2", [](Image& image) { kNamed(image, "file").chunks.pop_back(); }},
      {"file 'file': chunk 2", [](Image& image) { kNamed(image, "file").size = 10001; }},
      {"file 'file': chunk 0", [](Image& image) { kNamed(image, "file").chunks[0].chunk = 99; }},
      {"symlink 'link'", [](Image& image) { kNamed(image, "link").symlink_target.clear(); }},
      {"symlink 'link'", [](Image& image) { kNamed(image, "link").symlink_target = std::string(4096, 'x'); }},
      {"symlink 'link'", [](Image& image) { kNamed(image, "link").symlink_target.push_back('\0'); }},
      {"device 'disk'", [](Image& image) { kNamed(image, "disk").device.major = 4096; }},
      {"'fifo'", [](Image& image) { kNamed(image, "fifo").mtime.nanoseconds = 1000000000; }},
      {"'fifo'", [](Image& image) { kNamed(image, "fifo").permissions = 010000; }},
      {"file: xattr 'bad'", [](Image& image) { kNamed(image, "file").xattrs["bad"] = "x"; }},
      {"directory 'dir': 'a/b'", [](Image& image) { kNamed(image, "dir").entries["a/b"] = InodeId{2}; }},
      {"directory 'dir': '..'", [](Image& image) { kNamed(image, "dir").entries[".."] = InodeId{2}; }},
      {"directory 'loop'", [](Image& image) { kNamed(image, "dir").entries["loop"] = image.tree.root(); }},
      {"prefetch entry 0", [](Image& image) { image.prefetch[0] = InodeId{99}; }},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    Image image = SampleImage();
    c.change(image);
    try {
      BuildBootstrap(image);
      FAIL("built");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kInvalidArgument);
      CHECK_THAT(e.message(), Catch::Contains(c.text));
    }
  }
}

}  // namespace sluice::image::rafs
