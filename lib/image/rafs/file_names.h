// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the libraries and modules of an image lie, by the names that other files have for them (image/mentions.h).

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "image/mentions.h"
#include "image/rafs/image.h"
#include "image/tree.h"

namespace sluice::image::rafs {

// Of one blob.  Folders are numbers; those of compiled modules ("__pycache__") count as the folder around them.
struct FileNames {
  // A file under one of its names.  A package is known in the folder around its own, by the name of that.
  struct Name {
    NameKey key;
    uint32_t folder;
    uint32_t first;   // position of its first chunk
    uint32_t chunks;  // of it that follow each other in the blob, the first included
    bool operator==(const Name&) const = default;
  };
  // Where a module is that may speak of others.
  struct Module {
    NameKey key;     // what others call it: its source and its bytecode have the same
    uint32_t first;  // position of its first chunk
    uint32_t folder;
    uint32_t parent;  // the folder around that
    bool operator==(const Module&) const = default;
  };

  std::vector<Name> names;      // ascending by key
  std::vector<Module> modules;  // ascending by first
};

class FileNamesBuilder {
 public:
  explicit FileNamesBuilder(size_t blobs) : blobs_(blobs) {}

  // The files that are added from now on lie in the directory `nid`; the one around it was begun before.  `name` stays
  // valid.
  void BeginDirectory(uint32_t nid, uint32_t parent, std::string_view name);
  void Add(std::string_view name, const std::vector<FileChunk>& file);

  // By position of the blob.
  std::vector<FileNames> Take() &&;

 private:
  struct Directory {
    uint32_t parent = 0;
    std::string_view name;
  };

  std::vector<FileNames> blobs_;
  std::unordered_map<uint32_t, Directory> directories_;
  uint32_t folder_ = 0;  // of the directory that was begun last
};

}  // namespace sluice::image::rafs
