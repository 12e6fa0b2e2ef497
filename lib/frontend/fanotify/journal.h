// SPDX-License-Identifier: Apache-2.0
#pragma once
// The events that the kernel handed out and that are not answered yet, in memory that survives the process: a memfd
// that a holder keeps.  The kernel itself writes each event into its slot, so there is no moment at which an event is
// out and not on record.  Owned by the shard of its group; not thread-safe.  Format: docs/formats/journal.md.

#include <atomic>
#include <bitset>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "frontend/fanotify/event.h"

namespace sluice::frontend::fanotify {

// What fstat(2) says about a file: stable as long as it exists.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

// An event that a previous process received and did not answer.
struct StaleEvent {
  uint32_t slot = 0;
  Event event;                           // event.fd is a number of the *previous* process
  std::optional<FileIdentity> identity;  // nullopt: it died before it noted which file
};

class Journal {
 public:
  // Of these, half are the limit of events in flight per shard; each pins a descriptor.
  static constexpr uint32_t kSlots = 256;

  // An empty journal in a new memfd.
  static Journal Create();
  // The journal of a previous process.  Throws kCorrupt or kUnsupported when `fd` is not a journal of this format.
  static Journal Adopt(UniqueFd fd);

  ~Journal();
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) = delete;

  // For the holder.  Stays owned by the journal.
  int fd() const noexcept { return fd_.get(); }

  // What the previous process left.  These slots stay taken until Clear.  Unreadable slots are reported as an event
  // without descriptor (fd -1).
  const std::vector<StaleEvent>& stale() const noexcept { return stale_; }
  // The same; from now on they are the caller's to remember.
  std::vector<StaleEvent> TakeStale() noexcept { return std::exchange(stale_, {}); }

  // A free slot, empty; nullopt when as many are taken as are free.  The other half is for the next worker: to answer
  // what this one leaves, it has to receive events of its own.
  std::optional<uint32_t> Take() noexcept;
  // Where read(2) puts one event: kEventBytes, valid as long as the journal.
  MutableBytes Message(uint32_t slot) noexcept;
  // Notes which file the event of `slot` is about.
  void Identify(uint32_t slot, FileIdentity identity) noexcept;
  // Frees `slot`.  After every event of the message is answered and before its descriptor is closed: a descriptor
  // number in the journal is never used for two events.
  void Clear(uint32_t slot) noexcept;

 private:
  struct Slot;
  Journal(UniqueFd fd, std::byte* memory) noexcept : fd_(std::move(fd)), memory_(memory) {}
  Slot& At(uint32_t slot) const noexcept;

  UniqueFd fd_;
  std::byte* memory_ = nullptr;  // the mapping of the whole memfd
  std::vector<uint32_t> free_;   // the slot to take next is the last
  std::bitset<kSlots> taken_;    // by this process: neither free nor stale
  std::vector<StaleEvent> stale_;
};

}  // namespace sluice::frontend::fanotify
