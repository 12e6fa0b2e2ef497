// SPDX-License-Identifier: Apache-2.0
#include "convert/tree_path.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace sluice::convert {

using image::FileType;
using image::Inode;
using image::InodeId;
using image::Tree;

namespace {

std::optional<InodeId> Lookup(const Tree& tree, std::optional<InodeId> directory, std::string_view name) {
  if (!directory || tree.Get(*directory).type != FileType::kDirectory) return std::nullopt;
  const auto& entries = tree.Get(*directory).entries;
  const auto found = entries.find(name);
  return found == entries.end() ? std::nullopt : std::optional(found->second);
}

// The steps of a link's target.  Unlike in the names of a layer, ".." is a step.
std::vector<std::string> SplitTarget(std::string_view target) {
  std::vector<std::string> steps;
  while (!target.empty()) {
    const std::string_view name = target.substr(0, target.find('/'));
    if (!name.empty() && name != ".") steps.emplace_back(name);
    target.remove_prefix(std::min(target.size(), name.size() + 1));
  }
  return steps;
}

}  // namespace

ResolvedPath Resolve(const Tree& tree, const std::vector<std::string>& components) {
  ResolvedPath path;
  size_t links = 0;
  std::vector<std::string> todo(components.rbegin(), components.rend());  // the next component is the last element
  while (!todo.empty()) {
    std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == "..") {
      if (!path.empty()) path.pop_back();
      continue;
    }
    const std::optional<InodeId> parent = path.empty() ? tree.root() : path.back().inode;
    const std::optional<InodeId> inode = Lookup(tree, parent, name);
    if (inode && tree.Get(*inode).type == FileType::kSymlink) {
      if (++links > kMaxLinksFollowed) Throw(Errc::kCorrupt, "more than {} symbolic links", kMaxLinksFollowed);
      const std::string& target = tree.Get(*inode).symlink_target;
      if (target.starts_with('/')) path.clear();
      const std::vector<std::string> steps = SplitTarget(target);
      todo.insert(todo.end(), steps.rbegin(), steps.rend());
    } else {
      path.push_back({std::move(name), inode});
    }
    if (path.size() + todo.size() > kMaxPathDepth) {
      Throw(Errc::kLimit, "deeper than {} directories", kMaxPathDepth);
    }
  }
  return path;
}

std::optional<InodeId> FindDirectory(const Tree& tree, const ResolvedPath& path) {
  const std::optional<InodeId> inode = path.empty() ? tree.root() : path.back().inode;
  return inode && tree.Get(*inode).type == FileType::kDirectory ? inode : std::nullopt;
}

InodeId EnsureDirectories(Tree& tree, ResolvedPath& path) {
  InodeId directory = tree.root();
  for (PathStep& step : path) {
    if (!step.inode || tree.Get(*step.inode).type != FileType::kDirectory) {
      step.inode = tree.Add(Inode{.type = FileType::kDirectory, .permissions = 0755});
      tree.Get(directory).entries.insert_or_assign(step.name, *step.inode);
    }
    directory = *step.inode;
  }
  return directory;
}

}  // namespace sluice::convert
