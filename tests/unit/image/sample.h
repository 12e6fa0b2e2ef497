// SPDX-License-Identifier: Apache-2.0
#pragma once
// A small image with every kind of entry, and a way to damage its bootstrap in a chosen place.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "image/rafs/image.h"

namespace sluice::image::rafs {

// Chunk size 4096.  Two blobs of 8 and 2 blocks.  The tree, in the order in which its inodes are placed:
//   /          directory
//   /dir       directory with /dir/inner, a file of one chunk in blob 1, and /dir/sub, an empty directory
//   /disk      block device 259:70000
//   /fifo      fifo
//   /file      10000 bytes: chunks 0, 1, 2 of blob 0, one after the other; hard link /hard; xattrs
//   /link      symlink to "dir/inner"
//   /sparse    20480 bytes: chunk 3 of blob 0, two holes, chunk 0 of blob 1, chunk 4 of blob 0
//   /socket    socket
Image SampleImage();

// The bytes of a bootstrap under attack.
class Patched {
 public:
  explicit Patched(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

  template <typename T>
  T Load(uint64_t at) const {
    return LoadLe<T>(bytes_.data() + at);
  }
  template <typename T>
  void Store(uint64_t at, T value) {
    StoreLe<T>(bytes_.data() + at, value);
  }
  void StoreText(uint64_t at, std::string_view text);

  // Offsets in the bootstrap: of an inode by nid, or by path ("" is the root).
  uint64_t InodeOf(uint64_t nid) const;
  uint64_t Inode(std::string_view path) const { return InodeOf(Nid(path)); }
  uint64_t Nid(std::string_view path) const;
  // Of the entry of `name` in the directory at `path`, and of that name; the directory is inline in one block.
  uint64_t Entry(std::string_view path, std::string_view name) const;
  uint64_t Name(std::string_view path, std::string_view name) const;
  // Of the chunk index array of the file at `path`.
  uint64_t ChunkArray(std::string_view path) const;
  // Of blob table and chunk table entries.
  uint64_t BlobEntry(uint32_t blob) const;
  uint64_t ChunkEntry(uint32_t blob, uint32_t chunk) const;

 private:
  uint64_t DirectoryData(std::string_view path) const;
  std::vector<std::byte> bytes_;
};

}  // namespace sluice::image::rafs
