// SPDX-License-Identifier: Apache-2.0
#include "image/erofs/directory.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "image/erofs/layout.h"

namespace sluice::image::erofs {
namespace {

// struct erofs_dirent
constexpr uint64_t kNidAt = 0;
constexpr uint64_t kNameOffsetAt = 8;
constexpr uint64_t kTypeAt = 10;

// The name that the entry at `at` and the beginning of the next name delimit.  In the last entry of a block the name
// may be shorter: it ends at the first NUL.
std::string_view NameIn(ConstBytes block, uint64_t begin, uint64_t end, bool last) {
  std::string_view name = AsText(block.subspan(begin, end - begin));
  if (last) name = name.substr(0, name.find('\0'));
  return name;
}

}  // namespace

void DirectoryReader::ReadBlock(ConstBytes block, std::vector<DirectoryEntry>& entries) {
  if (block.size() < kDirentSize)
    Throw(Errc::kCorrupt, "{}: directory block of {} bytes holds no entry", what_, block.size());
  const uint64_t names_begin = LoadLe<uint16_t>(block.data() + kNameOffsetAt);
  if (names_begin < kDirentSize || names_begin % kDirentSize != 0 || names_begin >= block.size())
    Throw(Errc::kCorrupt, "{}: field 'nameoff' of the first entry is {} in a directory block of {} bytes", what_,
          names_begin, block.size());

  const uint64_t count = names_begin / kDirentSize;
  uint64_t begin = names_begin;
  for (uint64_t i = 0; i < count; ++i) {
    const std::byte* at = block.data() + i * kDirentSize;
    const bool last = i + 1 == count;
    const uint64_t end = last ? block.size() : LoadLe<uint16_t>(at + kDirentSize + kNameOffsetAt);
    if (end <= begin || end > block.size())
      Throw(Errc::kCorrupt, "{}: field 'nameoff' is {} behind a name at {} in a directory block of {} bytes", what_,
            end, begin, block.size());
    const std::string_view name = NameIn(block, begin, end, last);
    if (name.empty() || name.size() > kMaxNameLength)
      Throw(Errc::kCorrupt, "{}: name of entry {} has {} bytes", what_, entries.size(), name.size());
    if (name.find('/') != name.npos || name.find('\0') != name.npos)
      Throw(Errc::kCorrupt, "{}: name of entry {} contains '/' or NUL", what_, entries.size());
    if (name <= last_name_) Throw(Errc::kCorrupt, "{}: name of entry {} is not in order", what_, entries.size());
    const auto type = LoadLe<uint8_t>(at + kTypeAt);
    if (type < static_cast<uint8_t>(FileType::kRegular) || type > static_cast<uint8_t>(FileType::kSymlink))
      Throw(Errc::kCorrupt, "{}: field 'file_type' of entry {} is {}", what_, entries.size(), type);
    entries.push_back({.name = name, .nid = LoadLe<uint64_t>(at + kNidAt), .type = static_cast<FileType>(type)});
    last_name_ = name;
    begin = end;
  }
}

DirectoryLayout LayOutDirectory(std::span<const DirectoryEntry> entries) {
  DirectoryLayout layout;
  uint64_t used = 0;  // of the last block
  for (size_t i = 0; i < entries.size(); ++i) {
    const uint64_t needed = kDirentSize + entries[i].name.size();
    if (used + needed > kBlockSize) {
      layout.block_ends.push_back(static_cast<uint32_t>(i));
      used = 0;
    }
    used += needed;
  }
  layout.size = layout.block_ends.size() * kBlockSize + used;
  layout.block_ends.push_back(static_cast<uint32_t>(entries.size()));
  return layout;
}

void StoreDirectoryBlock(std::span<const DirectoryEntry> entries, MutableBytes block) {
  std::byte* at = block.data();
  uint64_t name_at = entries.size() * kDirentSize;
  for (const DirectoryEntry& entry : entries) {
    SLUICE_CHECK(name_at + entry.name.size() <= block.size(), "the entries fit in the directory block");
    StoreLe<uint64_t>(at + kNidAt, entry.nid);
    StoreLe<uint16_t>(at + kNameOffsetAt, static_cast<uint16_t>(name_at));
    StoreLe<uint8_t>(at + kTypeAt, static_cast<uint8_t>(entry.type));
    StoreLe<uint8_t>(at + kTypeAt + 1, 0);
    std::copy_n(AsBytes(entry.name).begin(), entry.name.size(), block.data() + name_at);
    at += kDirentSize;
    name_at += entry.name.size();
  }
  std::fill(block.begin() + static_cast<ptrdiff_t>(name_at), block.end(), std::byte{0});
}

}  // namespace sluice::image::erofs
