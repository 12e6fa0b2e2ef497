// SPDX-License-Identifier: Apache-2.0
#include "runtime/sim_disk.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <variant>

#include "base/check.h"
#include "runtime/sparse_bytes.h"

namespace sluice::runtime {

namespace {

constexpr uint64_t kSector = 512;  // what a disk writes whole

std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct Written {
  uint64_t offset;
  std::vector<std::byte> bytes;
};
struct Truncated {
  uint64_t size;
};
struct Punched {
  ByteRange range;
};
using DataChange = std::variant<Written, Truncated, Punched>;

void Apply(const DataChange& change, SparseBytes& bytes) {
  if (const auto* written = std::get_if<Written>(&change)) {
    bytes.Write(written->bytes, written->offset);
  } else if (const auto* truncated = std::get_if<Truncated>(&change)) {
    bytes.Truncate(truncated->size);
  } else {
    bytes.PunchHole(std::get<Punched>(change).range);
  }
}

// What a crash leaves of a write: some of its sectors, and perhaps the size that it gave the file.
void ApplyInPart(const Written& written, unsigned percent, Rng& rng, SparseBytes& bytes) {
  const uint64_t end = written.offset + written.bytes.size();
  const uint64_t size = rng.Chance(percent) ? std::max(bytes.size(), end) : bytes.size();
  for (uint64_t at = written.offset; at < end;) {
    const uint64_t next = std::min(AlignDown(at, kSector) + kSector, end);
    if (rng.Chance(percent)) bytes.Write(ConstBytes(written.bytes).subspan(at - written.offset, next - at), at);
    at = next;
  }
  bytes.Truncate(size);
}

}  // namespace

class SimDisk::Node {
 public:
  explicit Node(bool is_directory) noexcept : directory(is_directory) {}

  void Change(DataChange change) {
    Apply(change, now);
    unsynced.push_back(std::move(change));
  }
  void MakeDurable() {
    for (const DataChange& change : unsynced) Apply(change, durable);
    unsynced.clear();
  }
  void Crash(unsigned percent, Rng& rng) {
    for (const DataChange& change : unsynced) {
      if (const auto* written = std::get_if<Written>(&change)) {
        ApplyInPart(*written, percent, rng, durable);
      } else if (rng.Chance(percent)) {
        Apply(change, durable);
      }
    }
    unsynced.clear();
    now = durable;
  }

  const bool directory;
  bool linked = true;   // its pages count as used
  SparseBytes now;      // as readers see it
  SparseBytes durable;  // as after a crash that undoes all it can
  std::vector<DataChange> unsynced;
};

SimDisk::SimDisk() : SimDisk(Options()) {}

SimDisk::SimDisk(Options options) : capacity_(options.capacity) {
  names_["/"] = std::make_shared<Node>(true);
  durable_names_ = names_;
}

SimDisk::~SimDisk() = default;

void SimDisk::Crash(Rng& rng) {
  // From "everything was still in memory" to "everything had been written".
  const unsigned percent = 25 * static_cast<unsigned>(rng.Below(5));
  for (const NameChange& change : unsynced_names_) {
    if (rng.Chance(percent)) ApplyDurably(change);
  }
  unsynced_names_.clear();
  names_ = durable_names_;
  pages_used_ = 0;
  for (const auto& [path, node] : names_) {
    node->linked = true;
    node->Crash(percent, rng);
    pages_used_ += node->now.pages();
  }
  frozen_ = false;
  freeze_after_ = UINT64_MAX;
}

std::optional<std::vector<std::byte>> SimDisk::Content(std::string_view path) const {
  const NodePtr node = Find(path);
  if (!node || node->directory) return std::nullopt;
  std::vector<std::byte> content(node->now.size());
  node->now.Read(content, 0);
  return content;
}

void SimDisk::Put(std::string_view path, ConstBytes content) {
  NodePtr node;
  SLUICE_CHECK(Open(path, O_CREAT | O_TRUNC | O_RDWR, node) == 0, "the simulator cannot make a file for a test");
  SLUICE_CHECK(Write(*node, content, 0) == static_cast<int64_t>(content.size()), "the simulated disk is full");
  Sync(*node);
  Sync(*Find(ParentOf(path)));
}

// Counts a change; false when the moment of the crash has come.
bool SimDisk::Changing() {
  if (freeze_after_ == 0) frozen_ = true;
  if (frozen_) return false;
  if (freeze_after_ != UINT64_MAX) --freeze_after_;
  ++changes_;
  return true;
}

SimDisk::NodePtr SimDisk::Find(std::string_view path) const {
  SLUICE_CHECK(!path.empty() && path.front() == '/', "paths of the simulator are absolute");
  const auto at = names_.find(path);
  return at == names_.end() ? nullptr : at->second;
}

bool SimDisk::HasChildren(std::string_view path) const {
  return std::any_of(names_.begin(), names_.end(),
                     [&](const auto& entry) { return entry.first != "/" && ParentOf(entry.first) == path; });
}

int SimDisk::Open(std::string_view path, int flags, NodePtr& node) {
  if (frozen_) return -EIO;
  node = Find(path);
  if (node && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
  if (node && node->directory && (flags & O_ACCMODE) != O_RDONLY) return -EISDIR;
  if (node && !node->directory && (flags & O_DIRECTORY) != 0) return -ENOTDIR;
  if (node && (flags & O_TRUNC) != 0) return static_cast<int>(Truncate(*node, 0));
  if (node) return 0;
  if ((flags & O_CREAT) == 0) return -ENOENT;
  return AddNode(path, false, node);
}

int SimDisk::AddNode(std::string_view path, bool directory, NodePtr& node) {
  const NodePtr parent = Find(ParentOf(path));
  if (!parent) return -ENOENT;
  if (!parent->directory) return -ENOTDIR;
  if (!Changing()) return -EIO;
  node = std::make_shared<Node>(directory);
  names_[std::string(path)] = node;
  unsynced_names_.push_back({.from = "", .to = std::string(path), .node = node});
  return 0;
}

int64_t SimDisk::Read(const Node& node, MutableBytes dst, uint64_t offset) const {
  if (frozen_) return -EIO;
  if (node.directory) return -EISDIR;
  if (offset >= node.now.size()) return 0;
  const uint64_t length = std::min<uint64_t>(dst.size(), node.now.size() - offset);
  node.now.Read(dst.first(length), offset);
  return static_cast<int64_t>(length);
}

int64_t SimDisk::Write(Node& node, ConstBytes src, uint64_t offset) {
  // What fits: a full disk takes the first part of a write, like the kernel.
  const uint64_t free = (capacity_ - std::min(capacity_, pages_used_ * SparseBytes::kPage)) / SparseBytes::kPage;
  while (!src.empty() && node.now.PagesMissing({offset, src.size()}) > free) {
    const uint64_t end = AlignDown(offset + src.size() - 1, SparseBytes::kPage);
    if (end <= offset) return -ENOSPC;
    src = src.first(end - offset);
  }
  if (!Changing()) return -EIO;
  if (node.linked) pages_used_ += node.now.PagesMissing({offset, src.size()});
  node.Change(Written{offset, {src.begin(), src.end()}});
  return static_cast<int64_t>(src.size());
}

int64_t SimDisk::Sync(Node& node) {
  if (!Changing()) return -EIO;
  if (!node.directory) {
    node.MakeDurable();
    return 0;
  }
  const auto at =
      std::find_if(names_.begin(), names_.end(), [&](const auto& entry) { return entry.second.get() == &node; });
  if (at == names_.end()) return 0;  // removed meanwhile
  const std::string& path = at->first;
  const auto mine = [&](const std::string& name) { return !name.empty() && ParentOf(name) == path; };
  std::vector<NameChange> others;
  for (NameChange& change : unsynced_names_) {
    if (mine(change.from) || mine(change.to)) {
      ApplyDurably(change);
    } else {
      others.push_back(std::move(change));
    }
  }
  unsynced_names_ = std::move(others);
  return 0;
}

int64_t SimDisk::Truncate(Node& node, uint64_t size) { return ChangeData(node, Truncated{size}); }

int64_t SimDisk::PunchHole(Node& node, ByteRange range) { return ChangeData(node, Punched{range}); }

template <typename Change>
int64_t SimDisk::ChangeData(Node& node, Change change) {
  if (node.directory) return -EISDIR;
  if (!Changing()) return -EIO;
  const uint64_t before = node.now.pages();
  node.Change(change);
  if (node.linked) pages_used_ -= before - node.now.pages();
  return 0;
}

int64_t SimDisk::Size(const Node& node) const {
  if (frozen_) return -EIO;
  return static_cast<int64_t>(node.now.size());
}

int64_t SimDisk::Rename(std::string_view from, std::string_view to) {
  const NodePtr node = Find(from);
  const NodePtr replaced = Find(to);
  const NodePtr parent = Find(ParentOf(to));
  if (!node || !parent) return -ENOENT;
  if (node == replaced) return 0;
  if (replaced && replaced->directory != node->directory) return node->directory ? -ENOTDIR : -EISDIR;
  if (replaced && replaced->directory && HasChildren(to)) return -ENOTEMPTY;
  if (!Changing()) return -EIO;
  if (replaced) Unlinked(*replaced);
  NameChange change{.from = std::string(from), .to = std::string(to), .node = node};
  Move(names_, change);
  unsynced_names_.push_back(std::move(change));
  return 0;
}

int64_t SimDisk::Unlink(std::string_view path) {
  const NodePtr node = Find(path);
  if (!node) return -ENOENT;
  if (node->directory) return -EISDIR;
  return RemoveName(path, node);
}

int64_t SimDisk::RemoveDirectory(std::string_view path) {
  const NodePtr node = Find(path);
  if (!node) return -ENOENT;
  if (!node->directory) return -ENOTDIR;
  if (HasChildren(path)) return -ENOTEMPTY;
  return RemoveName(path, node);
}

int64_t SimDisk::RemoveName(std::string_view path, const NodePtr& node) {
  if (!Changing()) return -EIO;
  Unlinked(*node);
  names_.erase(names_.find(path));
  unsynced_names_.push_back({.from = std::string(path), .to = "", .node = node});
  return 0;
}

// Its space is free at once, although somebody may still have it open.
void SimDisk::Unlinked(Node& node) {
  pages_used_ -= node.now.pages();
  node.linked = false;
}

int64_t SimDisk::MakeDirectory(std::string_view path) {
  if (Find(path)) return -EEXIST;
  NodePtr node;
  return AddNode(path, true, node);
}

int64_t SimDisk::List(std::string_view path, uint64_t most, std::vector<std::string>& names) const {
  if (frozen_) return -EIO;
  const NodePtr node = Find(path);
  if (!node) return -ENOENT;
  if (!node->directory) return -ENOTDIR;
  for (const auto& [name, child] : names_) {
    if (name == "/" || ParentOf(name) != path) continue;
    if (names.size() >= most) return -EOVERFLOW;
    names.push_back(name.substr(name.rfind('/') + 1));
  }
  return 0;
}

// Moves a name and, for a directory, all names below it.  Does not ask whether the old name was there: a crash may have
// undone its making and kept this.
void SimDisk::Move(Names& names, const NameChange& change) {
  const std::string below = change.from + "/";
  Names moved;
  for (auto at = names.lower_bound(below); at != names.end() && at->first.compare(0, below.size(), below) == 0;) {
    moved[change.to + at->first.substr(change.from.size())] = at->second;
    at = names.erase(at);
  }
  names.erase(change.from);
  names[change.to] = change.node;
  names.merge(moved);
}

void SimDisk::ApplyDurably(const NameChange& change) {
  Names& names = durable_names_;
  if (change.to.empty()) {
    const auto at = names.find(change.from);
    const bool empty = std::none_of(names.begin(), names.end(), [&](const auto& entry) {
      return entry.first != "/" && ParentOf(entry.first) == change.from;
    });
    if (at != names.end() && at->second == change.node && empty) names.erase(at);
    return;
  }
  const auto parent = names.find(ParentOf(change.to));
  if (parent == names.end() || !parent->second->directory) return;  // its directory was lost
  if (change.from.empty()) {
    names[change.to] = change.node;
  } else {
    Move(names, change);
  }
}

}  // namespace sluice::runtime
