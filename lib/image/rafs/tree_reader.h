// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bounded walk over the inodes of a bootstrap.  Part of the bootstrap reader.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "image/erofs/inode.h"
#include "image/erofs/super_block.h"
#include "image/rafs/blob_advice.h"
#include "image/rafs/image.h"

namespace sluice::image::rafs {

class TreeReader {
 public:
  // Borrows all of them.  `bootstrap` is a whole number of blocks.
  TreeReader(ConstBytes bootstrap, const erofs::SuperBlock& super, uint32_t chunk_size, const std::vector<Blob>& blobs);

  // Visits every inode that the root reaches, once; stores them in `tree` (which is new) and tells `advice` of them
  // unless these are nullptr.  Throws kCorrupt or kUnsupported naming nid and field.
  void Read(Tree* tree, AdviceBuilder* advice);

  uint64_t inodes() const noexcept { return inodes_; }
  // The inode at `nid`; throws kCorrupt naming `what` unless Read() found one there.
  InodeId Find(uint64_t nid, const char* what) const;

 private:
  struct Directory;

  uint64_t OffsetOf(uint64_t nid, std::string_view what) const;
  erofs::InodeHeader HeaderAt(uint64_t nid, std::string_view what) const;
  // The inode at `nid`, without the entries of a directory.  Counts it as visited.
  Inode ReadInode(uint64_t nid, std::string_view what);
  void ReadDirectory(const Directory& directory, std::vector<Directory>& pending, Tree* tree, AdviceBuilder* advice);

  std::vector<FileChunk> ReadChunks(uint64_t nid, const erofs::InodeHeader& header, std::string_view what) const;
  FileChunk ReadChunk(ConstBytes index, uint64_t plain_size, std::string_view what) const;
  // The data of a directory or symlink: full blocks, then a tail that may be shorter (empty for none).
  struct FlatData {
    ConstBytes blocks;
    ConstBytes tail;
  };
  FlatData ReadFlat(uint64_t nid, const erofs::InodeHeader& header, std::string_view what) const;
  void Claim(uint64_t bytes, std::string_view what);

  ConstBytes bootstrap_;
  const erofs::SuperBlock& super_;
  uint32_t chunk_size_;
  const std::vector<Blob>& blobs_;
  std::vector<uint32_t> seen_;  // by nid: InodeId + 1, 0 for not visited
  uint32_t inodes_ = 0;
  uint64_t claimed_ = 0;  // bytes of all visited structures
};

}  // namespace sluice::image::rafs
