// SPDX-License-Identifier: Apache-2.0
#include "image/tree.h"

#include <utility>

namespace sluice::image {

Tree::Tree() { Add(Inode{.type = FileType::kDirectory, .permissions = 0755}); }

InodeId Tree::Add(Inode inode) {
  inodes_.push_back(std::move(inode));
  return InodeId{static_cast<uint32_t>(inodes_.size() - 1)};
}

std::vector<uint32_t> Tree::CountLinks() const {
  std::vector<uint32_t> links(inodes_.size());
  std::vector<InodeId> pending{root()};
  links[0] = 2;
  while (!pending.empty()) {
    const InodeId parent = pending.back();
    pending.pop_back();
    for (const auto& [name, child] : Get(parent).entries) {
      uint32_t& count = links[static_cast<size_t>(child)];
      if (Get(child).type == FileType::kDirectory) {
        ++links[static_cast<size_t>(parent)];
        // A directory has one parent: a second visit would never end in a loop.
        if (count == 0) {
          count = 2;
          pending.push_back(child);
        }
      } else {
        ++count;
      }
    }
  }
  return links;
}

}  // namespace sluice::image
