// SPDX-License-Identifier: Apache-2.0
#pragma once
// Applies the layers of an image to a tree, lowest first, the way an unpacker applies them to a directory
// (OCI image spec, layer.md).  Nothing is ever written to the host.  Single-threaded.
//
// Where the specification leaves room, the tree is what `umoci unpack` produces:
//  - an entry replaces what has its name, except that a directory only changes the attributes of a directory;
//  - parents are found through symbolic links, inside the root; a missing parent is made (0755, root, mtime 0), and
//    something else in its place is replaced; the last component is never followed;
//  - a whiteout removes what lower layers put there, never what its own layer did, in whatever order the two come; a
//    whiteout of nothing is ignored;
//  - ".wh..wh.*" other than the opaque mark is bookkeeping of AUFS and skipped;
//  - a hard link needs a target that exists and is not a directory, in this layer or below.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "convert/tree_path.h"
#include "image/tree.h"
#include "oci/layer_reader.h"

namespace sluice::convert {

// Names and inodes of one image: 8 Mi of them take some 3 GiB of memory, and a bootstrap has no room for more.
constexpr size_t kMaxTreeEntries = size_t{8} << 20;

class LayerMerger {
 public:
  // `tree` outlives the merger.
  explicit LayerMerger(image::Tree& tree) : tree_(tree) {}

  // What was applied so far becomes "lower layers".
  void BeginLayer() { touched_.clear(); }

  // Applies an entry and returns the new inode when it is a regular file: its size is set, its chunks are the caller's
  // business.  Throws kCorrupt, kLimit, kUnsupported with the reason; the caller knows layer and name.
  std::optional<image::InodeId> Apply(const oci::LayerEntry& entry);

  // Extended attributes that were left out (xattr_policy.h).
  size_t dropped_xattrs() const noexcept { return dropped_xattrs_; }

 private:
  // A name in a directory.
  using Slot = std::pair<image::InodeId, std::string>;

  std::optional<image::InodeId> Place(const oci::LayerEntry& entry);
  void Whiteout(const oci::LayerEntry& entry, std::string_view name);
  void RemoveLower(std::vector<Slot> slots);
  void AppendSlots(image::InodeId directory, std::vector<Slot>& slots) const;
  image::InodeId HardLinkTarget(const oci::LayerEntry& entry) const;
  image::Inode MakeInode(const oci::LayerEntry& entry);

  image::Tree& tree_;
  std::set<Slot> touched_;  // slots that the present layer filled or passed through
  size_t names_ = 0;
  size_t dropped_xattrs_ = 0;
};

}  // namespace sluice::convert
