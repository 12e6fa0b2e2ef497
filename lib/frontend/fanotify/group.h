// SPDX-License-Identifier: Apache-2.0
#pragma once
// A fanotify group of class PRE_CONTENT: marks on files, events before they are read, answers.  None of its calls
// waits. Owned by one shard.  As long as any process has the group open, readers of marked files wait; when the last
// descriptor is closed the kernel lets them all go on over holes.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"

namespace sluice::frontend::fanotify {

class Group {
 public:
  // Throws kUnsupported or kPermission, saying what the kernel or the process lacks.
  static Group Create();
  // A group that another process made and a holder kept.
  static Group Adopt(UniqueFd fd) { return Group(std::move(fd)); }

  // To wait for events, and for the holder.  Stays owned by the group.
  int fd() const noexcept { return fd_.get(); }

  // From now on reads through descriptors that are opened *after* this call raise events.  Idempotent.  Throws
  // kUnsupported when the file system has no pre-content events.
  void Mark(const std::string& path) const;
  // No more events of that file; those already queued stay.  A file without a mark is no error.
  void Unmark(const std::string& path) const;

  // Puts the next event into `message` (kEventBytes of them) and returns its bytes; 0 when none is queued.
  uint64_t Read(MutableBytes message) const;
  // Lets the reader that waits under descriptor number `event_fd` go on (kAllow) or fail.  False when nobody waits
  // there: answered before, or the reader was killed.
  bool Respond(int event_fd, uint32_t response) const;

 private:
  explicit Group(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace sluice::frontend::fanotify
