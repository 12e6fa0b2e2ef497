// SPDX-License-Identifier: Apache-2.0
// Bootstraps made to hurt: each named modification of a good one gives an error that names the field.

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "image/rafs/bootstrap_builder.h"
#include "image/rafs/bootstrap_reader.h"
#include "unit/image/data.h"
#include "unit/image/sample.h"

namespace sluice::image::rafs {
namespace {

// Offsets of fields: super blocks, inode, blob entry, device slot, chunk entry.
constexpr uint64_t kSuper = 1024;
constexpr uint64_t kExt = 1152;
constexpr uint64_t kSlot0 = 1408;
constexpr uint64_t kSlot1 = kSlot0 + 128;

struct Attack {
  const char* what;
  const char* field;  // in the message
  std::function<void(Patched&)> change;
};

// Stores `value` at `at`.
template <typename T>
std::function<void(Patched&)> At(uint64_t at, T value) {
  return [at, value](Patched& image) { image.Store<T>(at, value); };
}
// Stores `value` at `offset` behind the inode at `path`.
template <typename T>
std::function<void(Patched&)> InInode(std::string path, uint64_t offset, T value) {
  return [=](Patched& image) { image.Store<T>(image.Inode(path) + offset, value); };
}
// Stores `value` in the blob table entry of blob 0.
template <typename T>
std::function<void(Patched&)> InBlob(uint64_t offset, T value) {
  return [=](Patched& image) { image.Store<T>(image.BlobEntry(0) + offset, value); };
}
// Stores `value` in the chunk table entry of chunk `chunk` of blob 0.
template <typename T>
std::function<void(Patched&)> InChunk(uint32_t chunk, uint64_t offset, T value) {
  return [=](Patched& image) { image.Store<T>(image.ChunkEntry(0, chunk) + offset, value); };
}

void CheckRefused(const Patched& image, const Attack& attack) {
  const auto check = [&](auto read) {
    try {
      read(image.bytes(), ReadOptions{});
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK((e.code() == Errc::kCorrupt || e.code() == Errc::kUnsupported));
      CHECK_THAT(e.message(), Catch::Contains(attack.field));
    }
  };
  INFO(attack.what);
  check(ParseBootstrap);
  check(ValidateBootstrap);
}

// Refused or not: no crash, and both ways of reading agree.
bool IsAccepted(ConstBytes bytes) {
  const auto accepted = [bytes](auto read) {
    try {
      read(bytes, ReadOptions{});
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  const bool parsed = accepted(ParseBootstrap);
  CHECK(parsed == accepted(ValidateBootstrap));
  return parsed;
}

}  // namespace

TEST_CASE("hostile super blocks and tables are refused") {
  const std::vector<std::byte> good = BuildBootstrap(SampleImage());
  const Attack attacks[] = {
      {"wrong magic", "magic", At<uint32_t>(kSuper, 0)},
      {"no RAFS image", "feature_compat", At<uint32_t>(kSuper + 8, 0)},
      {"another feature", "feature_incompat", At<uint32_t>(kSuper + 80, 0xD)},
      {"no inodes", "inos", At<uint64_t>(kSuper + 16, 0)},
      {"too many devices", "extra_devices", At<uint16_t>(kSuper + 86, 255)},
      {"fewer devices than blobs", "1 devices", At<uint16_t>(kSuper + 86, 1)},
      {"device slots elsewhere", "devt_slotoff", At<uint16_t>(kSuper + 88, 12)},
      {"metadata outside", "meta_blkaddr", At<uint32_t>(kSuper + 40, UINT32_MAX)},
      {"root outside", "nid", At<uint16_t>(kSuper + 14, 65535)},
      {"root is a hole", "i_mode", At<uint16_t>(kSuper + 14, 0)},
      {"two compressors", "s_flags", At<uint64_t>(kExt, 0x10000B6)},
      {"no digester", "s_flags", At<uint64_t>(kExt, 0x10000B0)},
      {"tarfs", "tarfs", At<uint64_t>(kExt, 0x2B4)},
      {"chunk size 0", "s_chunk_size", At<uint32_t>(kExt + 20, 0)},
      {"chunk size not a power of two", "s_chunk_size", At<uint32_t>(kExt + 20, 4097)},
      {"chunk size below a block", "s_chunk_size", At<uint32_t>(kExt + 20, 2048)},
      {"chunk size above the limit", "s_chunk_size", At<uint32_t>(kExt + 20, 1 << 25)},
      {"chunk size of another image", "chunk_size", At<uint32_t>(kExt + 20, 8192)},
      {"blob table outside", "blob", At<uint64_t>(kExt + 8, uint64_t{1} << 40)},
      {"blob table wraps around", "blob", At<uint64_t>(kExt + 8, ~uint64_t{4095})},
      {"blob table not aligned", "blob table", At<uint64_t>(kExt + 8, 4097)},
      {"blob table in the super blocks", "blob table", At<uint64_t>(kExt + 8, 0)},
      {"blob table of half an entry", "blob table", At<uint32_t>(kExt + 16, 300)},
      {"chunk table outside", "chunk", At<uint64_t>(kExt + 24, uint64_t{1} << 40)},
      {"chunk table of half an entry", "chunk table", At<uint64_t>(kExt + 32, 81)},
      {"chunk table over the blob table", "overlaps", At<uint64_t>(kExt + 24, 4096)},
      {"prefetch table over the blob table", "overlaps", At<uint64_t>(kExt + 40, 4096)},
      {"prefetch table not aligned", "prefetch table", At<uint64_t>(kExt + 40, 4097)},
      {"prefetch of what is no inode", "prefetch table", At<uint32_t>(4096 + 512, 1)},
      {"prefetch outside", "prefetch table", At<uint32_t>(4096 + 512, UINT32_MAX)},
  };
  REQUIRE(IsAccepted(good));
  for (const Attack& attack : attacks) {
    Patched image(good);
    attack.change(image);
    CheckRefused(image, attack);
  }
}

TEST_CASE("hostile blobs and chunks are refused") {
  const std::vector<std::byte> good = BuildBootstrap(SampleImage());
  const Attack attacks[] = {
      {"blob id not hexadecimal", "blob_id", InBlob<uint8_t>(0, '/')},
      {"blob ids twice", "twice",
       [](Patched& image) {
         image.StoreText(image.BlobEntry(1), std::string(64, 'a'));
         image.StoreText(kSlot1, std::string(64, 'a'));
       }},
      {"blob index of another", "blob_index", InBlob<uint32_t>(64, 1)},
      {"chunk size of another", "chunk_size", InBlob<uint32_t>(68, 8192)},
      {"too many chunks", "chunk_count", InBlob<uint32_t>(72, (1 << 24) + 1)},
      {"fewer chunks than in the table", "index",
       [](Patched& image) {
         image.Store<uint32_t>(image.BlobEntry(0) + 72, 3);
         image.Store<uint64_t>(image.BlobEntry(0) + 120, 48);
         image.Store<uint64_t>(image.BlobEntry(0) + 128, 48);
       }},
      {"unknown compressor", "compression_algo", InBlob<uint32_t>(76, 4)},
      {"unknown digester", "digest_algo", InBlob<uint32_t>(80, 2)},
      {"unknown feature", "features", InBlob<uint32_t>(84, 0x1001)},
      {"not aligned", "features", InBlob<uint32_t>(84, 0)},
      {"stored size above the limit", "compressed_size", InBlob<uint64_t>(88, (uint64_t{1} << 40) + 1)},
      {"stored size below its chunks", "compressed_offset", InBlob<uint64_t>(88, 1)},
      {"plain size above the limit", "uncompressed_size", InBlob<uint64_t>(96, uint64_t{1} << 45)},
      {"plain size of another device", "blocks", InBlob<uint64_t>(96, 4096)},
      {"unknown chunk info compressor", "ci_compressor", InBlob<uint32_t>(108, 9)},
      {"chunk info outside", "ci_offset", InBlob<uint64_t>(112, uint64_t{1} << 41)},
      {"chunk info larger stored than plain", "ci_compressed_size", InBlob<uint64_t>(120, 129)},
      {"chunk info too small", "ci_uncompressed_size", InBlob<uint64_t>(128, 16)},
      {"chunk info too large", "ci_uncompressed_size", InBlob<uint64_t>(128, uint64_t{1} << 60)},
      {"unknown cipher", "cipher_algo", InBlob<uint32_t>(216, 2)},
      {"device slot of another blob", "tag", At<uint8_t>(kSlot0, 'c')},
      {"device slot whose tag is cut", "tag", At<uint8_t>(kSlot0 + 60, 0)},
      {"device slot without blocks", "blocks", At<uint32_t>(kSlot0 + 64, 0)},
      {"blob mapped over the bootstrap", "mapped_blkaddr", At<uint32_t>(kSlot0 + 68, 1)},
      {"chunk of a missing blob", "blob_index", InChunk<uint32_t>(0, 32, 2)},
      {"chunk with unknown flags", "flags", InChunk<uint32_t>(0, 36, 0x20)},
      {"chunk encrypted in a plain blob", "flags", InChunk<uint32_t>(0, 36, 0x4)},
      {"chunk of a batch in a plain blob", "flags", InChunk<uint32_t>(0, 36, 0x8)},
      {"chunk stored in 0 bytes", "compressed_size", InChunk<uint32_t>(0, 40, 0)},
      {"chunk stored in more than a chunk", "compressed_size", InChunk<uint32_t>(0, 40, 4097)},
      {"chunk not compressed but smaller", "compressed_size", InChunk<uint32_t>(5, 40, 6)},
      {"chunk of 0 plain bytes", "uncompressed_size", InChunk<uint32_t>(0, 44, 0)},
      {"chunk larger than a chunk", "uncompressed_size", InChunk<uint32_t>(0, 44, 4097)},
      {"chunk stored outside", "compressed_offset", InChunk<uint64_t>(0, 48, UINT64_MAX)},
      {"chunk at an odd plain offset", "uncompressed_offset", InChunk<uint64_t>(0, 56, 1)},
      {"chunk outside of the plain size", "uncompressed_offset", InChunk<uint64_t>(7, 56, 8 * 4096)},
      {"chunk plain offset wraps around", "uncompressed_offset", InChunk<uint64_t>(7, 56, ~uint64_t{4095})},
      {"chunks overlap", "overlaps", InChunk<uint64_t>(1, 56, 0)},
      {"chunks out of order", "overlaps", InChunk<uint64_t>(6, 56, 7 * 4096)},
      {"chunk index twice", "twice", InChunk<uint32_t>(1, 72, 0)},
      {"chunk index outside", "index", InChunk<uint32_t>(1, 72, 8)},
  };
  for (const Attack& attack : attacks) {
    Patched image(good);
    attack.change(image);
    CheckRefused(image, attack);
  }
}

TEST_CASE("hostile inodes are refused") {
  const std::vector<std::byte> good = BuildBootstrap(SampleImage());
  const auto in_array = [](std::string path, uint64_t offset, auto value) {
    return [=](Patched& image) { image.Store(image.ChunkArray(path) + offset, value); };
  };
  const Attack attacks[] = {
      {"compressed layout", "i_format", InInode<uint16_t>("file", 0, 3)},
      {"file with inline data", "i_format", InInode<uint16_t>("file", 0, 5)},
      {"chunk-based symlink", "i_format", InInode<uint16_t>("link", 0, 9)},
      {"unknown type", "i_mode", InInode<uint16_t>("file", 4, 0)},
      {"type of another entry", "file_type", InInode<uint16_t>("fifo", 4, 0140644)},
      {"xattrs past the end", "claim", InInode<uint16_t>("file", 2, 65535)},
      {"xattrs cut", "xattr", InInode<uint16_t>("file", 2, 4)},
      {"size of a file without chunks for it", "i_size", InInode<uint64_t>("sparse", 8, UINT64_MAX)},
      {"size of a file in the exabytes", "i_size", InInode<uint64_t>("sparse", 8, INT64_MAX)},
      {"one chunk fewer", "contradict", InInode<uint64_t>("sparse", 8, 20479)},
      {"one chunk more", "inode", InInode<uint64_t>("sparse", 8, 20481)},
      {"block map instead of indexes", "i_u", InInode<uint32_t>("sparse", 16, 0)},
      {"48-bit indexes", "i_u", InInode<uint32_t>("sparse", 16, 0x60)},
      {"one large chunk of what does not follow", "does not follow", InInode<uint32_t>("sparse", 16, 0x20 | 3)},
      {"large chunks smaller than the file", "i_u", InInode<uint32_t>("sparse", 16, 0x20 | 1)},
      {"nanoseconds", "i_mtime_nsec", InInode<uint32_t>("fifo", 40, 1000000000)},
      {"chunk in the bootstrap", "device_id", in_array("sparse", 2, uint16_t{0})},
      {"chunk beyond the devices", "device_id", in_array("sparse", 2, uint16_t{3})},
      {"chunk index not in the table", "not in the chunk table", in_array("sparse", 0, uint16_t{9})},
      {"chunk index with high bits", "not in the chunk table", in_array("sparse", 2, uint16_t{0x0101})},
      {"chunk at another block", "contradict", in_array("sparse", 4, uint32_t{4})},
      {"chunk beyond the device", "contradict", in_array("sparse", 4, uint32_t{0xFFFFFFFE})},
      {"symlink of 0 bytes", "i_size", InInode<uint64_t>("link", 8, 0)},
      {"symlink too long", "i_size", InInode<uint64_t>("link", 8, 4096)},
      {"symlink across a block", "cross a block", InInode<uint64_t>("link", 8, 4095)},
      {"symlink with NUL", "NUL", InInode<uint8_t>("link", 64, 0)},
      {"symlink outside", "inode",
       [](Patched& image) {
         image.Store<uint16_t>(image.Inode("link"), 1);
         image.Store<uint32_t>(image.Inode("link") + 16, UINT32_MAX);
       }},
      {"directory of 0 bytes", "lacks", InInode<uint64_t>("dir", 8, 0)},
      {"directory larger than the bootstrap", "claim", InInode<uint64_t>("dir", 8, uint64_t{1} << 40)},
      {"directory size wraps around", "claim", InInode<uint64_t>("dir", 8, UINT64_MAX)},
      {"directory across a block", "cross a block", InInode<uint64_t>("dir", 8, 4090)},
      {"directory blocks outside", "inode",
       [](Patched& image) {
         image.Store<uint16_t>(image.Inode("dir"), 1);
         image.Store<uint32_t>(image.Inode("dir") + 16, UINT32_MAX);
       }},
  };
  for (const Attack& attack : attacks) {
    Patched image(good);
    attack.change(image);
    CheckRefused(image, attack);
  }
}

TEST_CASE("hostile directories are refused") {
  const std::vector<std::byte> good = BuildBootstrap(SampleImage());
  const auto in_entry = [](std::string dir, std::string name, uint64_t offset, auto value) {
    return [=](Patched& image) { image.Store(image.Entry(dir, name) + offset, value); };
  };
  const Attack attacks[] = {
      {"loop to the root", "second name",
       [](Patched& image) { image.Store<uint64_t>(image.Entry("dir", "sub"), image.Nid("")); }},
      {"loop to itself", "second name",
       [](Patched& image) { image.Store<uint64_t>(image.Entry("dir", "sub"), image.Nid("dir")); }},
      {"wrong '.'", "'.'", in_entry("dir", ".", 0, uint64_t{1})},
      {"wrong '..'", "'..'",
       [](Patched& image) { image.Store<uint64_t>(image.Entry("dir/sub", ".."), image.Nid("")); }},
      {"root above itself", "'..'",
       [](Patched& image) { image.Store<uint64_t>(image.Entry("", ".."), image.Nid("dir")); }},
      {"'..' is a file", "'..'", in_entry("dir", "..", 10, uint8_t{1})},
      {"no '..'", "second name", [](Patched& image) { image.StoreText(image.Name("dir", ".."), "AA"); }},
      {"nid outside", "nid", in_entry("dir", "inner", 0, uint64_t{1} << 63)},
      {"nid behind the end", "nid", in_entry("dir", "inner", 0, uint64_t{100000})},
      {"nid in the chunk table", "inode", in_entry("dir", "inner", 0, uint64_t{256})},
      {"file type of another", "file_type", in_entry("dir", "inner", 10, uint8_t{2})},
      {"unknown file type", "file_type", in_entry("dir", "inner", 10, uint8_t{9})},
      {"name with '/'", "'/'", [](Patched& image) { image.StoreText(image.Name("dir", "inner"), "a/../"); }},
      {"name with NUL", "NUL",
       [](Patched& image) { image.StoreText(image.Name("dir", "inner"), std::string("in\0er", 5)); }},
      {"names out of order", "order", [](Patched& image) { image.StoreText(image.Name("dir", "inner"), "zzzzz"); }},
      {"names twice", "order", [](Patched& image) { image.StoreText(image.Name("", "fifo"), "file"); }},
      {"nameoff outside", "nameoff", in_entry("dir", "inner", 8, uint16_t{4095})},
      {"nameoff 0", "nameoff", in_entry("dir", ".", 8, uint16_t{0})},
  };
  for (const Attack& attack : attacks) {
    Patched image(good);
    attack.change(image);
    CheckRefused(image, attack);
  }
}

TEST_CASE("structures that share their bytes cannot multiply the work") {
  Image image;
  image.chunk_size = 4096;
  Tree& tree = image.tree;
  const auto add = [&tree](const std::string& name, size_t length) {
    tree.Get(tree.root()).entries[name] =
        tree.Add({.type = FileType::kSymlink, .symlink_target = std::string(length, 's')});
  };
  add("long", 4095);
  for (int i = 100; i < 200; ++i) add(std::to_string(i), 1);
  Patched bootstrap(BuildBootstrap(image));
  REQUIRE(IsAccepted(bootstrap.bytes()));
  // A few symlinks with the block of another are odd but bounded.
  const auto share = [&bootstrap](int i) {
    const uint64_t at = bootstrap.Inode(std::to_string(i));
    bootstrap.Store<uint16_t>(at, bootstrap.Load<uint16_t>(bootstrap.Inode("long")));
    bootstrap.Store<uint64_t>(at + 8, 4095);
    bootstrap.Store<uint32_t>(at + 16, bootstrap.Load<uint32_t>(bootstrap.Inode("long") + 16));
  };
  share(100);
  CHECK(IsAccepted(bootstrap.bytes()));
  for (int i = 101; i < 200; ++i) share(i);
  CheckRefused(bootstrap, {"100 symlinks with one block", "claim more", {}});
}

TEST_CASE("a bootstrap cut anywhere is refused") {
  const std::vector<std::byte> good = BuildBootstrap(SampleImage());
  for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(IsAccepted(ConstBytes(good).first(size)));
  const std::vector<std::byte> nydus = ReadData("rafs-v6-2.2.boot");
  for (size_t size = 0; size < nydus.size(); ++size) CHECK_FALSE(IsAccepted(ConstBytes(nydus).first(size)));
}

TEST_CASE("a bootstrap with any byte changed is refused or read, never more") {
  std::vector<std::byte> bytes = BuildBootstrap(SampleImage());
  Rng rng(1);
  size_t refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    const std::byte before = bytes[at];
    if (before == std::byte{0} && rng.Chance(75)) continue;  // mostly padding
    bytes[at] = before ^ static_cast<std::byte>(1u << rng.Below(8));
    refused += IsAccepted(bytes) ? 0 : 1;
    bytes[at] = before;
  }
  CHECK(refused > 500);
  CHECK(IsAccepted(bytes));
}

TEST_CASE("a bootstrap with several random bytes changed is refused or read, never more") {
  const std::vector<std::byte> good = ReadData("made/prefetch/image.boot");
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    INFO("seed " << seed);
    Rng rng(seed);
    std::vector<std::byte> bytes = good;
    for (uint64_t n = 1 + rng.Below(8); n != 0; --n)
      bytes[rng.Below(bytes.size())] = static_cast<std::byte>(rng.Next());
    IsAccepted(bytes);
  }
  SUCCEED("no crash");
}

}  // namespace sluice::image::rafs
