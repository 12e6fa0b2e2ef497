// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/file_names.h"

#include <algorithm>

namespace sluice::image::rafs {

void FileNamesBuilder::BeginDirectory(uint32_t nid, uint32_t parent, std::string_view name) {
  directories_[nid] = {.parent = parent, .name = name};
  folder_ = name == "__pycache__" ? parent : nid;
}

void FileNamesBuilder::Add(std::string_view name, const std::vector<FileChunk>& file) {
  const bool is_library = IsLibraryName(name);
  const bool is_module = IsModuleName(name);
  if ((!is_library && !is_module) || file.empty() || file[0].is_hole()) return;
  FileNames& blob = blobs_[file[0].blob];
  const uint32_t first = file[0].chunk;
  uint32_t chunks = 1;
  while (chunks < file.size() && file[chunks] == FileChunk{file[0].blob, first + chunks}) ++chunks;

  const std::string_view stem = StemOf(name);
  const Directory& folder = directories_[folder_];
  const auto add = [&](NameKey key, uint32_t where) {
    blob.names.push_back({.key = key, .folder = where, .first = first, .chunks = chunks});
  };
  if (is_library) add(LibraryKey(stem), folder_);
  const bool is_package = stem == "__init__";
  const NameKey key = ModuleKey(is_package ? folder.name : stem);
  add(key, is_package ? folder.parent : folder_);
  if (is_module) blob.modules.push_back({.key = key, .first = first, .folder = folder_, .parent = folder.parent});
}

std::vector<FileNames> FileNamesBuilder::Take() && {
  for (FileNames& blob : blobs_) {
    std::stable_sort(blob.names.begin(), blob.names.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    std::stable_sort(blob.modules.begin(), blob.modules.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    blob.names.shrink_to_fit();
    blob.modules.shrink_to_fit();
  }
  return std::move(blobs_);
}

}  // namespace sluice::image::rafs
