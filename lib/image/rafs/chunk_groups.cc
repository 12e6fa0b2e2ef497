// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/chunk_groups.h"

namespace sluice::image::rafs {

ChunkGroups::ChunkGroups(const std::vector<Blob>& blobs)
    : last_(blobs.size(), kNoFile), folder_(blobs.size()), file_(blobs.size()) {
  for (const Blob& blob : blobs) groups_.emplace_back(blob.chunks.size(), kNoFile);
}

void ChunkGroups::BeginDirectory() { ++folders_; }

void ChunkGroups::Add(const std::vector<FileChunk>& file) {
  if (file.size() == 1) {
    Put(file.front(), folders_, folder_);
  } else {
    ++files_;
    for (const FileChunk& chunk : file) Put(chunk, files_, file_);
  }
}

void ChunkGroups::Put(const FileChunk& chunk, uint32_t owner, std::vector<Open>& open) {
  if (chunk.is_hole()) return;
  uint32_t& group = groups_[chunk.blob][chunk.chunk];
  if (group != kNoFile) return;
  Open& current = open[chunk.blob];
  if (current.group == kNoFile || current.owner != owner) current = {.owner = owner, .group = ++last_[chunk.blob]};
  group = current.group;
}

}  // namespace sluice::image::rafs
