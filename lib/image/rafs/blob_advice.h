// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the tree of an image tells about each of its blobs, for whoever fetches ahead of readers.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "image/rafs/chunk_groups.h"
#include "image/rafs/file_names.h"

namespace sluice::image::rafs {

struct BlobAdvice {
  std::vector<uint32_t> groups;  // by position of the chunk (chunk_groups.h); empty: nothing is known
  FileNames names;
};

// Sees each directory once, the ones around it first, and each file under its first name.
class AdviceBuilder {
 public:
  explicit AdviceBuilder(const std::vector<Blob>& blobs) : groups_(blobs), names_(blobs.size()) {}

  void BeginDirectory(uint32_t nid, uint32_t parent, std::string_view name) {
    groups_.BeginDirectory();
    names_.BeginDirectory(nid, parent, name);
  }
  void Add(std::string_view name, const std::vector<FileChunk>& file) {
    groups_.Add(file);
    names_.Add(name, file);
  }

  // By position of the blob.
  std::vector<BlobAdvice> Take() && {
    std::vector<BlobAdvice> advice;
    std::vector<std::vector<uint32_t>> groups = std::move(groups_).Take();
    std::vector<FileNames> names = std::move(names_).Take();
    for (size_t i = 0; i < groups.size(); ++i) advice.push_back({std::move(groups[i]), std::move(names[i])});
    return advice;
  }

 private:
  ChunkGroups groups_;
  FileNamesBuilder names_;
};

}  // namespace sluice::image::rafs
