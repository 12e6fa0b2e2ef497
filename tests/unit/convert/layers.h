// SPDX-License-Identifier: Apache-2.0
#pragma once
// Layer entries and trees, short to write and to compare.

#include <string>
#include <string_view>
#include <vector>

#include "image/tree.h"
#include "oci/layer_reader.h"

namespace sluice::convert::test {

// `path` is split at '/'; "" is the root.  mtime 1, permissions 0755 for directories and 0644 for others.
oci::LayerEntry Entry(oci::EntryType type, std::string_view path);
oci::LayerEntry Dir(std::string_view path);
oci::LayerEntry File(std::string_view path, uint64_t size = 0);
oci::LayerEntry Symlink(std::string_view path, std::string target);
oci::LayerEntry HardLink(std::string_view path, std::string_view target);
// An empty file with a name that means something to a merge.
oci::LayerEntry Whiteout(std::string_view path);

// One line per name in depth-first order: "d a", "- a/f 5" (size), "l a/s -> t", "- a/h 5 =a/f" (same inode as the name
// printed first), "+" behind "d" for a directory with mtime 0 (made, not given).
std::vector<std::string> Lines(const image::Tree& tree);

}  // namespace sluice::convert::test
