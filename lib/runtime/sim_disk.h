// SPDX-License-Identifier: Apache-2.0
#pragma once
// The files of the simulator: what a file system promises and not more.  Written data and changed names are seen at
// once, but survive a crash only when they were synced.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/range.h"
#include "base/rng.h"

namespace sluice::runtime {

// Outlives the engines that use it, one after the other: that is how a test restarts after a crash.  Single thread.
class SimDisk {
 public:
  struct Options {
    uint64_t capacity = UINT64_MAX;  // bytes of file data, in pages of 4096
  };
  SimDisk();
  explicit SimDisk(Options options);
  ~SimDisk();

  // The machine loses power: each unsynced write survives in any subset of its 512-byte sectors, each unsynced size and
  // each unsynced change of a name survives or not.  Files that are open are lost to their holders.  Ends a Freeze().
  void Crash(Rng& rng);
  // Every later operation fails with EIO and changes nothing: the moment of the crash, so that tasks can end before
  // Crash().
  void Freeze() noexcept { frozen_ = true; }
  bool frozen() const noexcept { return frozen_; }
  // Freezes by itself after `changes` more changes (writes, truncations, syncs, names): the crash at every point.
  void FreezeAfter(uint64_t changes) noexcept { freeze_after_ = changes; }
  // Changes that have been made so far.
  uint64_t changes() const noexcept { return changes_; }

  void SetCapacity(uint64_t bytes) noexcept { capacity_ = bytes; }
  // Bytes of file data, in whole pages.
  uint64_t used() const noexcept { return pages_used_ * 4096; }

  // For tests: the content as a reader sees it now; empty optional when there is no such file.
  std::optional<std::vector<std::byte>> Content(std::string_view path) const;
  // For tests: makes a durable file.
  void Put(std::string_view path, ConstBytes content);

  // The engine's side: system calls, with results as in Request.

  class Node;
  using NodePtr = std::shared_ptr<Node>;
  // Sets `node` when the result is 0.
  int Open(std::string_view path, int flags, NodePtr& node);
  int64_t Read(const Node& node, MutableBytes dst, uint64_t offset) const;
  int64_t Write(Node& node, ConstBytes src, uint64_t offset);
  int64_t Sync(Node& node);
  int64_t Truncate(Node& node, uint64_t size);
  int64_t PunchHole(Node& node, ByteRange range);
  int64_t Size(const Node& node) const;
  int64_t Rename(std::string_view from, std::string_view to);
  int64_t Unlink(std::string_view path);
  int64_t MakeDirectory(std::string_view path);
  int64_t RemoveDirectory(std::string_view path);
  int64_t List(std::string_view path, uint64_t most, std::vector<std::string>& names) const;

 private:
  // A change of a name that a crash may undo.
  struct NameChange {
    std::string from;  // empty: made or linked
    std::string to;    // empty: removed
    NodePtr node;
  };
  using Names = std::map<std::string, NodePtr, std::less<>>;

  bool Changing();
  NodePtr Find(std::string_view path) const;
  bool HasChildren(std::string_view path) const;
  int AddNode(std::string_view path, bool directory, NodePtr& node);
  int64_t RemoveName(std::string_view path, const NodePtr& node);
  void Unlinked(Node& node);
  template <typename Change>
  int64_t ChangeData(Node& node, Change change);
  static void Move(Names& names, const NameChange& change);
  void ApplyDurably(const NameChange& change);

  uint64_t capacity_;
  uint64_t pages_used_ = 0;
  uint64_t changes_ = 0;
  uint64_t freeze_after_ = UINT64_MAX;
  bool frozen_ = false;
  Names names_;          // as seen now
  Names durable_names_;  // as after a crash that undoes all it can
  std::vector<NameChange> unsynced_names_;
};

}  // namespace sluice::runtime
