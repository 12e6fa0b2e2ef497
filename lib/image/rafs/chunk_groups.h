// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which chunks of each blob a reader of one is likely to want, too: those of the same file when it has several, else
// those of the other small files in its folder.

#include <cstdint>
#include <vector>

#include "image/rafs/image.h"
#include "image/tree.h"

namespace sluice::image::rafs {

class ChunkGroups {
 public:
  static constexpr uint32_t kNoFile = 0;  // the group of chunks that no file of the tree uses

  explicit ChunkGroups(const std::vector<Blob>& blobs);

  // The files that are added from now on lie in another folder.
  void BeginDirectory();
  // A chunk stays in the group of the first file that has it.
  void Add(const std::vector<FileChunk>& file);

  // By position of the blob, then by position in its chunks: numbers from 0 on, without gaps.
  std::vector<std::vector<uint32_t>> Take() && { return std::move(groups_); }

 private:
  // A group that is being filled, of a file or folder.  It is begun anew by a new number, not by a pass over all blobs:
  // time stays linear in the size of the bootstrap.
  struct Open {
    uint32_t owner = 0;
    uint32_t group = kNoFile;
  };
  void Put(const FileChunk& chunk, uint32_t owner, std::vector<Open>& open);

  std::vector<std::vector<uint32_t>> groups_;
  std::vector<uint32_t> last_;  // by blob: the highest number so far
  std::vector<Open> folder_;    // by blob
  std::vector<Open> file_;      // by blob
  uint32_t folders_ = 0;        // so far; owner of the current folder's group
  uint32_t files_ = 0;          // so far; owner of the current file's group
};

}  // namespace sluice::image::rafs
