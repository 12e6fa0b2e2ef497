// SPDX-License-Identifier: Apache-2.0
#pragma once
// EROFS directory data: blocks of 12-byte entries followed by their names, sorted by name over the whole directory.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "image/tree.h"

namespace sluice::image::erofs {

struct DirectoryEntry {
  std::string_view name;  // borrowed from the directory's bytes or the tree
  uint64_t nid = 0;
  FileType type = FileType::kRegular;

  bool operator==(const DirectoryEntry&) const = default;
};

// Reads the entries of one directory block after another and checks what the kernel relies on: names of 1 to 255 bytes
// without '/' and NUL, in strictly ascending byte order over the whole directory, inside their block, with known types.
class DirectoryReader {
 public:
  // `what` names the directory in errors and outlives the reader.
  explicit DirectoryReader(std::string_view what) noexcept : what_(what) {}

  // Appends the entries of the next block: 4096 bytes, less for the last.  Their names stay valid as long as `block`;
  // the block before must be valid, too.  Throws kCorrupt.
  void ReadBlock(ConstBytes block, std::vector<DirectoryEntry>& entries);

 private:
  std::string_view what_;
  std::string_view last_name_;  // in the block before; empty: none yet
};

// How entries are spread over blocks: as many in each as fit, in order.
struct DirectoryLayout {
  uint64_t size = 0;                 // bytes of directory data: full blocks, then the used part of the last
  std::vector<uint32_t> block_ends;  // for each block the number of entries up to its end
};

// `entries` include "." and ".." and are sorted by name.
DirectoryLayout LayOutDirectory(std::span<const DirectoryEntry> entries);

// Writes one block that holds exactly `entries`.  `block` is as long as they need, or a full block: the rest is zeroed.
void StoreDirectoryBlock(std::span<const DirectoryEntry> entries, MutableBytes block);

}  // namespace sluice::image::erofs
