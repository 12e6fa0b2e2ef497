// SPDX-License-Identifier: Apache-2.0
#pragma once
// The file tree of an image in memory: what a layer merge produces, what a bootstrap stores.  A value; single-threaded.

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::image {

// The values are those of EROFS directory entries (erofs_fs.h, EROFS_FT_*).
enum class FileType : uint8_t {
  kRegular = 1,
  kDirectory = 2,
  kCharDevice = 3,
  kBlockDevice = 4,
  kFifo = 5,
  kSocket = 6,
  kSymlink = 7,
};

// Seconds since 1970, negative before; nanoseconds in [0, 999999999] count forward from there.
struct Timestamp {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
  auto operator<=>(const Timestamp&) const = default;
};

// Nanoseconds in a Timestamp are below this.
constexpr uint32_t kNanosecondsPerSecond = 1000000000;

struct DeviceNumber {
  uint32_t major = 0;  // below 4096 (new_encode_dev, include/linux/kdev_t.h)
  uint32_t minor = 0;  // below 1048576
  bool operator==(const DeviceNumber&) const = default;
};

// One chunk-sized piece of a regular file: a chunk of a blob, or a hole (reads as zeros, stored nowhere).
struct FileChunk {
  static constexpr uint32_t kHole = UINT32_MAX;
  uint32_t blob = kHole;  // position in Image::blobs
  uint32_t chunk = 0;     // position in Blob::chunks
  bool is_hole() const noexcept { return blob == kHole; }
  bool operator==(const FileChunk&) const = default;
};

enum class InodeId : uint32_t {};

// What the hard links of a file share.
struct Inode {
  FileType type = FileType::kRegular;
  uint16_t permissions = 0;  // 07777: rwx, setuid, setgid, sticky
  uint32_t uid = 0;
  uint32_t gid = 0;
  Timestamp mtime;
  std::map<std::string, std::string, std::less<>> xattrs;  // full names ("security.capability") to raw values

  // By type; empty or zero for the others.
  uint64_t size = 0;                                    // kRegular: bytes
  std::vector<FileChunk> chunks;                        // kRegular: ceil(size / chunk_size) of them
  std::string symlink_target;                           // kSymlink: 1 to kMaxSymlinkLength bytes
  DeviceNumber device;                                  // kCharDevice, kBlockDevice
  std::map<std::string, InodeId, std::less<>> entries;  // kDirectory: without "." and ".."; in byte order

  bool operator==(const Inode&) const = default;
};

// Inodes live as long as the tree: an InodeId stays valid, also of an inode that no directory names any more.
class Tree {
 public:
  // An empty root directory with permissions 0755.
  Tree();

  InodeId root() const noexcept { return InodeId{0}; }
  size_t size() const noexcept { return inodes_.size(); }
  Inode& Get(InodeId id) { return inodes_.at(static_cast<size_t>(id)); }
  const Inode& Get(InodeId id) const { return inodes_.at(static_cast<size_t>(id)); }

  // Stores an inode that no directory names yet.
  InodeId Add(Inode inode);

  // How many directory entries reach each inode from the root: regular files as counted, directories 2 +
  // subdirectories, inodes that are not reachable 0.  Index: InodeId.
  std::vector<uint32_t> CountLinks() const;

 private:
  std::deque<Inode> inodes_;
};

}  // namespace sluice::image
