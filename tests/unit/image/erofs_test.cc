// SPDX-License-Identifier: Apache-2.0
// Each EROFS structure: built and parsed back, and refused when damaged.

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "image/erofs/chunk_index.h"
#include "image/erofs/device_slot.h"
#include "image/erofs/directory.h"
#include "image/erofs/inode.h"
#include "image/erofs/super_block.h"
#include "image/erofs/xattr.h"

namespace sluice::image::erofs {
namespace {

std::vector<std::byte> Noise(size_t size) { return std::vector<std::byte>(size, std::byte{0xA5}); }

// The parsed form of what `entries` are stored as.
std::vector<DirectoryEntry> StoreAndRead(const std::vector<DirectoryEntry>& entries, std::vector<std::byte>& data) {
  const DirectoryLayout layout = LayOutDirectory(entries);
  data = Noise(layout.size);
  DirectoryReader reader("dir");
  std::vector<DirectoryEntry> read;
  uint32_t first = 0;
  uint64_t at = 0;
  for (const uint32_t end : layout.block_ends) {
    const MutableBytes block = MutableBytes(data).subspan(at, std::min(kBlockSize, layout.size - at));
    StoreDirectoryBlock(std::span(entries).subspan(first, end - first), block);
    reader.ReadBlock(block, read);
    first = end;
    at += block.size();
  }
  CHECK(at == layout.size);
  return read;
}

Errc CodeOfReading(ConstBytes block) {
  try {
    std::vector<DirectoryEntry> entries;
    DirectoryReader("dir").ReadBlock(block, entries);
  } catch (const Error& e) {
    return e.code();
  }
  FAIL("the block was accepted");
  return {};
}

}  // namespace

TEST_CASE("a super block survives storing and parsing") {
  const SuperBlock super{.feature_compat = 0x40000000,
                         .feature_incompat = 0xC,
                         .root_nid = 128,
                         .inode_count = 7,
                         .build_time = {-1, 5},
                         .blocks = 9,
                         .meta_block = 2,
                         .extra_devices = 3,
                         .device_slot_index = 11};
  auto image = Noise(1152);
  StoreSuperBlock(super, image);
  CHECK(ParseSuperBlock(image) == super);
}

TEST_CASE("a super block with a field that we do not know is refused by its name") {
  struct Case {
    uint64_t at;
    uint8_t value;
    const char* field;
  };
  for (const Case& c :
       {Case{0, 1, "magic"}, Case{4, 1, "checksum"}, Case{12, 9, "blkszbits"}, Case{13, 1, "sb_extslots"},
        Case{44, 1, "xattr_blkaddr"}, Case{84, 1, "available_compr_algs"}, Case{35, 0xFF, "build_time_nsec"}}) {
    std::vector<std::byte> image(1152);
    StoreSuperBlock({}, image);
    image[kSuperBlockOffset + c.at] = std::byte{c.value};
    CHECK_THROWS_WITH(ParseSuperBlock(image), Catch::Contains(c.field));
  }
  CHECK_THROWS_AS(ParseSuperBlock(std::vector<std::byte>(1151)), Error);
}

TEST_CASE("an extended inode keeps all its fields") {
  const InodeHeader inode{.extended = true,
                          .layout = DataLayout::kChunkBased,
                          .type = FileType::kRegular,
                          .permissions = 07777,
                          .xattr_size = 16,
                          .size = uint64_t{1} << 40,
                          .u = 0x28,
                          .ino = 77,
                          .uid = 4294967294,
                          .gid = 70000,
                          .mtime = {-62135596800, 999999999},
                          .link_count = 100000};
  auto bytes = Noise(kExtendedInodeSize);
  StoreInode(inode, bytes);
  CHECK(ParseInode(bytes, {1, 1}, "inode") == inode);
  bytes.pop_back();
  CHECK_THROWS_AS(ParseInode(bytes, {}, "inode"), Error);
}

TEST_CASE("a compact inode has the time of the build and small numbers") {
  const Timestamp build_time{1600000000, 5};
  const InodeHeader inode{.extended = false,
                          .layout = DataLayout::kFlatInline,
                          .type = FileType::kDirectory,
                          .permissions = 0755,
                          .size = UINT32_MAX,
                          .u = 3,
                          .ino = 77,
                          .uid = 65535,
                          .gid = 65534,
                          .mtime = build_time,
                          .link_count = 65535};
  auto bytes = Noise(kCompactInodeSize);
  StoreInode(inode, bytes);
  CHECK(ParseInode(bytes, build_time, "inode") == inode);
}

TEST_CASE("every file type survives the mode of an inode") {
  for (int type = 1; type <= 7; ++type) {
    std::vector<std::byte> bytes(kExtendedInodeSize);
    StoreInode({.type = static_cast<FileType>(type)}, bytes);
    CHECK(ParseInode(bytes, {}, "inode").type == static_cast<FileType>(type));
  }
}

TEST_CASE("an inode with an impossible field is refused by its name") {
  struct Case {
    uint64_t at;
    uint32_t value;
    const char* field;
  };
  for (const Case& c : {Case{0, 3, "i_format"}, Case{0, 0x11, "i_format"}, Case{4, 0, "i_mode"},
                        Case{4, 0170000, "i_mode"}, Case{40, 1000000000, "i_mtime_nsec"}}) {
    std::vector<std::byte> bytes(kExtendedInodeSize);
    StoreInode({}, bytes);
    StoreLe<uint16_t>(bytes.data() + c.at, static_cast<uint16_t>(c.value));
    if (c.value > UINT16_MAX) StoreLe<uint32_t>(bytes.data() + c.at, c.value);
    CHECK_THROWS_WITH(ParseInode(bytes, {}, "inode"), Catch::Contains(c.field));
  }
}

TEST_CASE("device numbers are those of the kernel") {
  CHECK(EncodeDevice({1, 3}) == 0x103);
  CHECK(EncodeDevice({259, 70000}) == (0x70u | 259u << 8 | 0x111u << 20));
  for (const DeviceNumber device : {DeviceNumber{0, 0}, {4095, 1048575}, {259, 70000}, {8, 255}, {8, 256}})
    CHECK(DecodeDevice(EncodeDevice(device)) == device);
}

TEST_CASE("a directory of many blocks keeps its entries in order") {
  std::vector<std::string> names;
  for (int i = 10000; i < 12000; ++i)
    names.push_back(std::string(static_cast<size_t>(i) % 200, 'x') + std::to_string(i));
  names.push_back(std::string(255, 'y'));
  names.insert(names.end(), {".", "..", "+before", "\xff"});
  std::sort(names.begin(), names.end());
  std::vector<DirectoryEntry> entries;
  for (const std::string& name : names)
    entries.push_back({.name = name, .nid = uint64_t{1} << 40 | entries.size(), .type = FileType::kSocket});
  std::vector<std::byte> data;
  CHECK(StoreAndRead(entries, data) == entries);
  CHECK(data.size() > 50 * kBlockSize);
}

TEST_CASE("a full directory block leaves no byte for a terminator") {
  std::vector<std::string> names;
  // 15 entries of 12 + 255 bytes and one of 12 + 79 make 4096.
  for (char c = 'a'; c < 'a' + 15; ++c) names.push_back(std::string(254, 'a') + c);
  names.push_back(std::string(79, 'z'));
  std::vector<DirectoryEntry> entries;
  for (const std::string& name : names) entries.push_back({.name = name, .nid = 1});
  CHECK(LayOutDirectory(entries).size == kBlockSize);
  std::vector<std::byte> data;
  CHECK(StoreAndRead(entries, data) == entries);
}

TEST_CASE("a directory block that the kernel would stumble over is refused") {
  const std::vector<DirectoryEntry> entries{{.name = ".", .nid = 1, .type = FileType::kDirectory},
                                            {.name = "..", .nid = 1, .type = FileType::kDirectory},
                                            {.name = "abc", .nid = 2},
                                            {.name = "abd", .nid = 3}};
  std::vector<std::byte> good(LayOutDirectory(entries).size);
  StoreDirectoryBlock(entries, good);
  const uint64_t names = entries.size() * kDirentSize;

  struct Case {
    const char* what;
    uint64_t at;
    uint16_t value;
  };
  for (const Case& c : {
           Case{"first nameoff 0", 8, 0},
           Case{"first nameoff not a multiple of 12", 8, 13},
           Case{"first nameoff at the end", 8, static_cast<uint16_t>(good.size())},
           Case{"nameoff before the one of the entry before", 32, static_cast<uint16_t>(names)},
           Case{"nameoff outside of the block", 32, 60000},
           Case{"file type 0", 34, 0},
           Case{"file type 8", 34, 8},
           Case{"name with a slash", names + 4, '/' | 'c' << 8},
           Case{"name with NUL", names + 4, 'b' << 8},
           Case{"names not in order", names + 4, 'z' | 'c' << 8},
           Case{"name twice", names + 7, 'b' | 'c' << 8},
           Case{"empty last name", names + 6, 0},
       }) {
    INFO(c.what);
    std::vector<std::byte> block = good;
    StoreLe<uint16_t>(block.data() + c.at, c.value);
    CHECK(CodeOfReading(block) == Errc::kCorrupt);
  }
  for (size_t size = 0; size < names + 1; ++size) CHECK(CodeOfReading(ConstBytes(good).first(size)) == Errc::kCorrupt);
}

TEST_CASE("names are in order across the blocks of a directory") {
  std::vector<std::byte> block(kDirentSize + 1);
  const std::vector<DirectoryEntry> first{{.name = "b", .nid = 1}};
  StoreDirectoryBlock(first, block);
  DirectoryReader reader("dir");
  std::vector<DirectoryEntry> read;
  reader.ReadBlock(block, read);
  std::vector<std::byte> second(kDirentSize + 1);
  const std::vector<DirectoryEntry> earlier{{.name = "a", .nid = 1}};
  StoreDirectoryBlock(earlier, second);
  CHECK_THROWS_WITH(reader.ReadBlock(second, read), Catch::Contains("order"));
}

TEST_CASE("xattrs of all prefixes survive storing and parsing") {
  const Xattrs xattrs{{"user.k", std::string(65535, 'v')},   {"user.empty", ""},
                      {"trusted.t", std::string("\0\1", 2)}, {"security.capability", "c"},
                      {"system.posix_acl_access", "acl"},    {"system.posix_acl_default", "acl"}};
  auto body = Noise(XattrBodySize(xattrs));
  StoreXattrs(xattrs, body);
  CHECK(body.size() % kXattrAlignment == 0);
  CHECK(ParseXattrs(body, "inode") == xattrs);
  // Cut anywhere behind the header it is damaged, or holds fewer: never the same, never a crash.
  for (size_t size = kXattrHeaderSize + 1; size < body.size(); size += size < 200 ? 1 : 4096) {
    Xattrs fewer;
    try {
      fewer = ParseXattrs(ConstBytes(body).first(size), "inode");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
    }
    CHECK(fewer.size() < xattrs.size());
  }
}

TEST_CASE("an xattr that EROFS cannot store is refused by its name") {
  CHECK_THROWS_WITH(XattrBodySize({{"btrfs.compression", "x"}}), Catch::Contains("btrfs.compression"));
  CHECK_THROWS_WITH(XattrBodySize({{"user.", "x"}}), Catch::Contains("user."));
  CHECK_THROWS_WITH(XattrBodySize({{"system.posix_acl_accessory", "x"}}), Catch::Contains("accessory"));
  CHECK_THROWS_WITH(XattrBodySize({{"user.large", std::string(65536, 'v')}}), Catch::Contains("65536"));
  CHECK_THROWS_AS(XattrBodySize({{"user." + std::string(251, 'n'), "x"}}), Error);
  Xattrs many;
  for (int i = 0; i < 5; ++i) many["user." + std::to_string(i)] = std::string(60000, 'v');
  CHECK_THROWS_WITH(XattrBodySize(many), Catch::Contains("262148"));
}

TEST_CASE("a damaged xattr body is refused by the field") {
  const Xattrs xattrs{{"user.key", "value"}};
  std::vector<std::byte> good(XattrBodySize(xattrs));
  StoreXattrs(xattrs, good);
  struct Case {
    uint64_t at;
    uint8_t value;
    const char* field;
  };
  for (const Case& c : {Case{4, 1, "h_shared_count"}, Case{13, 5, "e_name_index"}, Case{13, 0x81, "e_name_index"},
                        Case{12, 200, "xattr name"}, Case{14, 200, "xattr value"}, Case{12, 0, "not valid"},
                        Case{13, 2, "not valid"}, Case{17, 0, "not valid"}}) {
    std::vector<std::byte> body = good;
    body[c.at] = std::byte{c.value};
    CHECK_THROWS_WITH(ParseXattrs(body, "inode"), Catch::Contains(c.field));
  }
  std::vector<std::byte> twice = good;
  twice.insert(twice.end(), good.begin() + kXattrHeaderSize, good.end());
  CHECK_THROWS_WITH(ParseXattrs(twice, "inode"), Catch::Contains("twice"));
}

TEST_CASE("chunk indexes and device slots survive storing and parsing") {
  std::array<std::byte, kChunkIndexSize> index_bytes;
  const ChunkIndex index{.advise = 0x1234, .device_id = 0xAB01, .block = 0xFFFFFFFE};
  StoreChunkIndex(index, index_bytes);
  CHECK(LoadChunkIndex(index_bytes) == index);

  auto slot_bytes = Noise(kDeviceSlotSize);
  for (const size_t length : {0, 63, 64}) {
    const DeviceSlot slot{.tag = std::string(length, 'f'), .blocks = 9, .mapped_block = 512};
    StoreDeviceSlot(slot, slot_bytes);
    CHECK(LoadDeviceSlot(slot_bytes) == slot);
  }
}

}  // namespace sluice::image::erofs
