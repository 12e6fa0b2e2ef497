// SPDX-License-Identifier: Apache-2.0
#pragma once
// A blob behind a door: its mark, and which file the kernel means when it asks about it.  Owned by the door's shard.

#include <cstdint>
#include <string>
#include <utility>

#include "base/range.h"
#include "cache/blob_cache.h"
#include "frontend/error_log.h"
#include "frontend/fanotify/group.h"
#include "frontend/fanotify/journal.h"
#include "runtime/event.h"
#include "runtime/task.h"

namespace sluice::frontend::fanotify {

class ServedBlob final : private cache::BlobObserver {
 public:
  // `group` and `errors` outlive this, `blob` its users and its uses.
  ServedBlob(const Group& group, ErrorLog& errors, cache::BlobCache& blob);
  // Without users.
  ~ServedBlob() override;
  ServedBlob(const ServedBlob&) = delete;
  ServedBlob& operator=(const ServedBlob&) = delete;

  cache::BlobCache& blob() const noexcept { return blob_; }
  const FileIdentity& identity() const noexcept { return identity_; }
  // Whole blocks, inside the data file.
  ByteRange Clamp(ByteRange range) const noexcept;

  // One more mount is going to read the file.  The kernel decides when it opens the file whether its reads raise
  // events, so it is marked until Opened() in any case.  Throws what Group::Mark throws.
  void AddUser();
  // The kernel has opened the file, or will not: a complete blob needs no mark.
  void Opened() noexcept;
  // A mount, Opened() before, is gone.  False: it was the last.
  bool RemoveUser() noexcept;
  // Ends when no Use is left.
  runtime::Task<void> Unused() { return unused_.Wait(); }

  // An answer that uses the blob, as long as it lives; or none.
  class Use {
   public:
    Use() noexcept = default;
    explicit Use(ServedBlob& served) noexcept;
    Use(Use&& other) noexcept : served_(std::exchange(other.served_, nullptr)) {}
    Use& operator=(Use&& other) noexcept;
    ~Use();

    explicit operator bool() const noexcept { return served_ != nullptr; }
    ServedBlob* operator->() const noexcept { return served_; }
    ServedBlob& operator*() const noexcept { return *served_; }

   private:
    ServedBlob* served_ = nullptr;
  };

 private:
  void OnComplete(cache::BlobCache& blob) noexcept override;
  void OnIncomplete(cache::BlobCache& blob, const Error& error) noexcept override;
  void Unmark() noexcept;

  const Group& group_;
  ErrorLog& errors_;
  cache::BlobCache& blob_;
  const FileIdentity identity_;
  bool marked_ = false;
  uint64_t users_ = 0;     // mounts
  uint64_t opening_ = 0;   // of these, not Opened() yet
  uint32_t uses_ = 0;      // answers
  runtime::Event unused_;  // set while uses_ is 0
};

// Of the file at `path`.
FileIdentity IdentityOf(const std::string& path);
// Of an open file; an inode of 0 when it cannot be told.
FileIdentity IdentityOf(int fd) noexcept;

}  // namespace sluice::frontend::fanotify
