// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers the kernel's questions about the blobs of one shard.  Everything is called on that shard.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "cache/blob_cache.h"
#include "frontend/error_log.h"
#include "frontend/fanotify/event.h"
#include "frontend/fanotify/gate.h"
#include "frontend/fanotify/served_blob.h"
#include "runtime/event.h"
#include "runtime/offload.h"
#include "runtime/scope.h"

namespace sluice::frontend::fanotify {

// Since the door was made.
struct DoorStats {
  uint64_t events = 0;
  uint64_t hits = 0;    // answered at once
  uint64_t misses = 0;  // had to wait for a fetch
  uint64_t errors = 0;  // answered with EIO
};

class Door {
 public:
  // Engine, offload and log outlive the door.  `blocking`: for calls that wait until the door itself answers.
  Door(runtime::Engine& engine, runtime::Offload& blocking, Gate gate, Log& log);
  // Stopped, and all blobs removed.
  ~Door();

  // Begins to answer.
  void Open();
  // Ends answering.  Nothing may be mounted any more: who reads afterwards waits for ever.
  runtime::Task<void> Close();

  // One more mount is going to use the blob: from now on reads of its data file are answered from it.  To be called
  // before the file is given to mount(2).  Throws what Group::Mark throws.
  void Add(cache::BlobCache& blob);
  // Follows each Add: the file has been given to mount(2), or will not be.
  void Opened(cache::BlobCache& blob) noexcept;
  // Takes back an Add: the mount is gone.  Ends, if it was the last, when no answer uses the blob.
  runtime::Task<void> Remove(cache::BlobCache& blob);

  // Answers what the previous worker received and did not answer.  After Open(), when every blob that can be served has
  // been added.  `all_served`: those are all that the previous worker served; otherwise an event that does not tell its
  // blob may mean one that is missing, and is denied.
  runtime::Task<void> Recover(bool all_served);

  const DoorStats& stats() const noexcept { return stats_; }

 private:
  // What ProvokeData() asks for.  EROFS asks for whole pages, so nobody else's question looks like this.
  static constexpr ByteRange kProvocation{0, 1};
  using ServedBlobs = std::map<FileIdentity, std::unique_ptr<ServedBlob>>;
  // A reader that waits.
  struct Question {
    Event event;
    ServedBlob::Use served;  // none: a file that is not served
    uint32_t verdict = 0;    // the response; 0: not known yet
  };
  // Those of one slot.
  struct Questions {
    std::array<Question, kMaxEventsPerMessage> all;
    uint32_t count = 0;
  };

  runtime::Task<void> Serve();
  runtime::Task<void> ReadEvents();
  runtime::Task<uint32_t> TakeSlot();
  void Receive(uint32_t slot);
  Questions Read(uint32_t slot);
  uint32_t VerdictAtOnce(const Question& question);
  runtime::Task<void> Answer(uint32_t slot, Questions questions);
  runtime::Task<uint32_t> Verdict(ServedBlob& served, ByteRange range);
  void Finish(uint32_t slot, const Questions& questions);
  void Respond(int event_fd, uint32_t response);
  void FreeSlot(uint32_t slot);

  ServedBlobs::iterator FindBlob(const cache::BlobCache& blob) noexcept;
  ServedBlob::Use Find(const FileIdentity& identity) const;
  void AdoptData(ServedBlob& served, int event_fd);

  runtime::Task<void> ProvokeData(ServedBlob& served);
  runtime::Task<void> AnswerStale(uint32_t slot, std::vector<StaleEvent> events, bool all_served);
  runtime::Task<uint32_t> VerdictOnStale(StaleEvent stale, bool all_served);
  std::vector<ServedBlob::Use> MeantBy(const StaleEvent& event) const;

  runtime::Engine& engine_;
  runtime::Offload& blocking_;
  Log& log_;
  Gate gate_;
  ErrorLog errors_;
  DoorStats stats_;
  ServedBlobs served_;
  runtime::Event slot_freed_;
  runtime::Scope scope_;  // at most half of Journal::kSlots answers, and the loop
};

}  // namespace sluice::frontend::fanotify
