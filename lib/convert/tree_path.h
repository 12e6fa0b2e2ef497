// SPDX-License-Identifier: Apache-2.0
#pragma once
// Finds and makes directories of a tree by path, as a process inside that tree would see them: symbolic links are
// followed, and neither ".." nor an absolute target leaves the root.

#include <optional>
#include <string>
#include <vector>

#include "image/tree.h"

namespace sluice::convert {

// One component of a path whose links have been followed.
struct PathStep {
  std::string name;
  std::optional<image::InodeId> inode;  // what the tree has under that name; nullopt: nothing
};

// From the root (which is not a step of its own) down.  No step is a symbolic link.  Steps below one that is missing or
// not a directory are missing.
using ResolvedPath = std::vector<PathStep>;

// A path is at most this deep, links followed: a path of PATH_MAX bytes has no more components.
constexpr size_t kMaxPathDepth = 2048;
// Links followed for one path before it counts as a loop (Linux follows 40; umoci 255).
constexpr size_t kMaxLinksFollowed = 255;

// Follows `components` (as of oci::LayerEntry) from the root, the last one included.  Throws kCorrupt for a loop of
// links, kLimit for a path deeper than kMaxPathDepth.
ResolvedPath Resolve(const image::Tree& tree, const std::vector<std::string>& components);

// The directory at the end of `path`; nullopt when there is none.
std::optional<image::InodeId> FindDirectory(const image::Tree& tree, const ResolvedPath& path);

// Makes each missing directory of `path` (0755, owned by root, mtime 0) and replaces what is in the way of one; fills
// the inodes of `path` and returns the last, the root for an empty path.
image::InodeId EnsureDirectories(image::Tree& tree, ResolvedPath& path);

}  // namespace sluice::convert
