// SPDX-License-Identifier: Apache-2.0
#include "unit/convert/layers.h"

#include <fmt/core.h>

#include <map>
#include <utility>

namespace sluice::convert::test {

using image::FileType;
using image::InodeId;
using oci::EntryType;
using oci::LayerEntry;

namespace {

std::vector<std::string> Split(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    names.emplace_back(name);
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return names;
}

void Append(const image::Tree& tree, InodeId directory, const std::string& prefix,
            std::map<InodeId, std::string>& printed, std::vector<std::string>& lines) {
  for (const auto& [name, id] : tree.Get(directory).entries) {
    const image::Inode& inode = tree.Get(id);
    const std::string path = prefix + name;
    std::string line;
    switch (inode.type) {
      case FileType::kDirectory: line = fmt::format("d{} {}", inode.mtime.seconds == 0 ? "+" : "", path); break;
      case FileType::kSymlink: line = fmt::format("l {} -> {}", path, inode.symlink_target); break;
      case FileType::kRegular: line = fmt::format("- {} {}", path, inode.size); break;
      default: line = fmt::format("{} {}", static_cast<int>(inode.type), path);
    }
    const auto [first, is_first] = printed.emplace(id, path);
    if (!is_first) line += " =" + first->second;
    lines.push_back(line);
    if (inode.type == FileType::kDirectory) Append(tree, id, path + "/", printed, lines);
  }
}

}  // namespace

LayerEntry Entry(EntryType type, std::string_view path) {
  return {.path = Split(path),
          .type = type,
          .permissions = static_cast<uint16_t>(type == EntryType::kDirectory ? 0755 : 0644),
          .mtime_seconds = 1};
}

LayerEntry Dir(std::string_view path) { return Entry(EntryType::kDirectory, path); }

LayerEntry File(std::string_view path, uint64_t size) {
  LayerEntry entry = Entry(EntryType::kRegular, path);
  entry.size = size;
  return entry;
}

LayerEntry Symlink(std::string_view path, std::string target) {
  LayerEntry entry = Entry(EntryType::kSymlink, path);
  entry.symlink_target = std::move(target);
  return entry;
}

LayerEntry HardLink(std::string_view path, std::string_view target) {
  LayerEntry entry = Entry(EntryType::kHardLink, path);
  entry.link_path = Split(target);
  return entry;
}

LayerEntry Whiteout(std::string_view path) { return File(path); }

std::vector<std::string> Lines(const image::Tree& tree) {
  std::map<InodeId, std::string> printed;
  std::vector<std::string> lines;
  Append(tree, tree.root(), "", printed, lines);
  return lines;
}

}  // namespace sluice::convert::test
