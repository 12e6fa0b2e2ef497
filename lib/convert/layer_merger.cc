// SPDX-License-Identifier: Apache-2.0
#include "convert/layer_merger.h"

#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/limits.h"
#include "convert/xattr_policy.h"

namespace sluice::convert {

using image::FileType;
using image::Inode;
using image::InodeId;
using oci::EntryType;
using oci::LayerEntry;

namespace {

// OCI image spec, layer.md, "Whiteouts"; the second prefix is that of AUFS metadata.
constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kAufsPrefix = ".wh..wh.";
constexpr std::string_view kOpaqueMark = ".wh..wh..opq";

// new_encode_dev (include/linux/kdev_t.h) has 12 and 20 bits for them.
constexpr uint32_t kMaxMajor = (1U << 12) - 1;
constexpr uint32_t kMaxMinor = (1U << 20) - 1;

bool IsAufsMetadata(const std::vector<std::string>& path) {
  for (const std::string& name : path) {
    if (name.starts_with(kAufsPrefix) && !(name == kOpaqueMark && &name == &path.back())) return true;
  }
  return false;
}

FileType ToFileType(EntryType type) {
  switch (type) {
    case EntryType::kRegular: return FileType::kRegular;
    case EntryType::kDirectory: return FileType::kDirectory;
    case EntryType::kSymlink: return FileType::kSymlink;
    case EntryType::kCharDevice: return FileType::kCharDevice;
    case EntryType::kBlockDevice: return FileType::kBlockDevice;
    case EntryType::kFifo: return FileType::kFifo;
    case EntryType::kSocket: return FileType::kSocket;
    case EntryType::kHardLink: break;
  }
  Throw(Errc::kInvalidArgument, "a hard link has no file type of its own");
}

std::vector<std::string> Parent(const std::vector<std::string>& path) { return {path.begin(), path.end() - 1}; }

}  // namespace

std::optional<InodeId> LayerMerger::Apply(const LayerEntry& entry) {
  if (IsAufsMetadata(entry.path)) return std::nullopt;
  if (!entry.path.empty() && entry.path.back().starts_with(kWhiteoutPrefix)) {
    Whiteout(entry, entry.path.back());
    return std::nullopt;
  }
  return Place(entry);
}

std::optional<InodeId> LayerMerger::Place(const LayerEntry& entry) {
  if (entry.path.empty()) {
    // The root has no name: it can only change its attributes.
    if (entry.type != EntryType::kDirectory) Throw(Errc::kCorrupt, "the root is not a directory");
    Inode attributes = MakeInode(entry);
    attributes.entries = std::move(tree_.Get(tree_.root()).entries);
    tree_.Get(tree_.root()) = std::move(attributes);
    return std::nullopt;
  }
  if (std::max(names_, tree_.size()) >= kMaxTreeEntries) {
    Throw(Errc::kLimit, "the image has more than {} entries", kMaxTreeEntries);
  }
  ++names_;

  ResolvedPath parents = Resolve(tree_, Parent(entry.path));
  const InodeId directory = EnsureDirectories(tree_, parents);
  InodeId above = tree_.root();
  for (const PathStep& step : parents) {
    touched_.emplace(above, step.name);
    above = *step.inode;
  }
  const std::string& name = entry.path.back();
  touched_.emplace(directory, name);

  auto& entries = tree_.Get(directory).entries;
  const auto present = entries.find(name);
  if (entry.type == EntryType::kHardLink) {
    // What is in the way goes first, as on a disk: a link to itself, or to something below itself, has no target.
    if (present != entries.end()) entries.erase(present);
    const InodeId target = HardLinkTarget(entry);
    entries.emplace(name, target);
    return std::nullopt;
  }

  Inode inode = MakeInode(entry);
  if (present != entries.end() && inode.type == FileType::kDirectory &&
      tree_.Get(present->second).type == FileType::kDirectory) {
    inode.entries = std::move(tree_.Get(present->second).entries);
    tree_.Get(present->second) = std::move(inode);
    return std::nullopt;
  }
  const bool is_regular = inode.type == FileType::kRegular;
  const InodeId id = tree_.Add(std::move(inode));
  entries.insert_or_assign(name, id);
  return is_regular ? std::optional(id) : std::nullopt;
}

void LayerMerger::Whiteout(const LayerEntry& entry, std::string_view name) {
  const std::optional<InodeId> directory = FindDirectory(tree_, Resolve(tree_, Parent(entry.path)));
  if (name == kOpaqueMark) {
    std::vector<Slot> slots;
    if (directory) AppendSlots(*directory, slots);
    RemoveLower(std::move(slots));
    return;
  }
  const std::string target(name.substr(kWhiteoutPrefix.size()));
  if (target.empty() || target == "." || target == "..") Throw(Errc::kCorrupt, "a whiteout of '{}'", target);
  if (directory && tree_.Get(*directory).entries.contains(target)) RemoveLower({{*directory, target}});
}

void LayerMerger::RemoveLower(std::vector<Slot> slots) {
  while (!slots.empty()) {
    const Slot slot = std::move(slots.back());
    slots.pop_back();
    auto& entries = tree_.Get(slot.first).entries;
    const auto found = entries.find(slot.second);
    if (!touched_.contains(slot)) {
      entries.erase(found);
    } else if (tree_.Get(found->second).type == FileType::kDirectory) {
      AppendSlots(found->second, slots);  // the layer came through here: only what is below it may go
    }
  }
}

void LayerMerger::AppendSlots(InodeId directory, std::vector<Slot>& slots) const {
  for (const auto& [name, inode] : tree_.Get(directory).entries) slots.emplace_back(directory, name);
}

InodeId LayerMerger::HardLinkTarget(const LayerEntry& entry) const {
  const std::optional<InodeId> directory = FindDirectory(tree_, Resolve(tree_, Parent(entry.link_path)));
  if (directory) {
    const auto& entries = tree_.Get(*directory).entries;
    if (const auto found = entries.find(entry.link_path.back()); found != entries.end()) {
      if (tree_.Get(found->second).type == FileType::kDirectory) {
        Throw(Errc::kCorrupt, "a hard link to the directory '{}'", fmt::join(entry.link_path, "/"));
      }
      return found->second;
    }
  }
  Throw(Errc::kCorrupt, "a hard link to '{}', which does not exist in this layer or below",
        fmt::join(entry.link_path, "/"));
}

Inode LayerMerger::MakeInode(const LayerEntry& entry) {
  Inode inode{.type = ToFileType(entry.type),
              .permissions = entry.permissions,
              .uid = entry.uid,
              .gid = entry.gid,
              .mtime = {entry.mtime_seconds, entry.mtime_nanoseconds},
              .xattrs = entry.xattrs};
  dropped_xattrs_ += FilterXattrs(inode.xattrs);
  switch (inode.type) {
    case FileType::kRegular: inode.size = entry.size; break;
    case FileType::kSymlink:
      inode.permissions = 0777;  // symlink(7): Linux knows no other
      inode.symlink_target = entry.symlink_target;
      break;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      if (entry.device_major > kMaxMajor || entry.device_minor > kMaxMinor) {
        Throw(Errc::kUnsupported, "device number {}:{} is above {}:{}", entry.device_major, entry.device_minor,
              kMaxMajor, kMaxMinor);
      }
      inode.device = {entry.device_major, entry.device_minor};
      break;
    case FileType::kDirectory:
    case FileType::kFifo:
    case FileType::kSocket: break;
  }
  return inode;
}

}  // namespace sluice::convert
