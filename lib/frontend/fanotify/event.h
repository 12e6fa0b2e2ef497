// SPDX-License-Identifier: Apache-2.0
#pragma once
// The messages of a fanotify group of class PRE_CONTENT: bytes of read(2) to values, and verdicts.  Pure; a fuzz
// target.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/range.h"

namespace sluice::frontend::fanotify {

// include/uapi/linux/fanotify.h.  Defined here because the headers of Debian 12 (6.1) are older than FAN_PRE_ACCESS
// (6.14).
constexpr uint64_t kPreAccess = 0x00100000;      // FAN_PRE_ACCESS
constexpr uint64_t kQueueOverflow = 0x00004000;  // FAN_Q_OVERFLOW
constexpr uint32_t kAllow = 0x01;                // FAN_ALLOW
constexpr uint32_t kDeny = 0x02;                 // FAN_DENY

// One event with one range record: struct fanotify_event_metadata (24) + fanotify_event_info_range (24).
constexpr uint64_t kEventBytes = 48;
// At most this many events fit into kEventBytes: an event without a range record has 24 bytes.
constexpr uint64_t kMaxEventsPerMessage = 2;

struct Event {
  // The descriptor of the file that is about to be read; it is the receiver's to answer and to close.  Negative: the
  // kernel could not make one (-errno), denied the access by itself and expects no answer.
  int32_t fd = -1;
  int32_t pid = 0;    // of the reading process
  uint64_t mask = 0;  // kPreAccess, kQueueOverflow, …
  // The bytes that are about to be read.  May reach past the end of the file; end() does not overflow.  The whole file,
  // {0, UINT64_MAX}, when the kernel names no range or an empty one.
  ByteRange range{0, UINT64_MAX};

  // Whether the reader waits for an answer.
  bool WantsAnswer() const noexcept { return fd >= 0 && (mask & kPreAccess) != 0; }
  bool operator==(const Event&) const = default;
};

// Walks over the events of one read(2).
class EventReader {
 public:
  // `message` outlives the reader.
  explicit EventReader(ConstBytes message) noexcept : rest_(message) {}

  // The next event; nullopt at the end, which is also where a length of zero stands (the unused tail of a journal
  // slot). Throws kCorrupt when lengths contradict each other, kUnsupported for another version of the structure.
  std::optional<Event> Next();

 private:
  ConstBytes rest_;
};

// The response word for an access that failed with `code`.  The kernel accepts few errno values (EPERM, EIO, EBUSY,
// ETXTBSY, EAGAIN, ENOSPC, EDQUOT; measured on 6.18) and EROFS shows each of them as EIO: so it is always EIO.
uint32_t DenyWithIoError() noexcept;

}  // namespace sluice::frontend::fanotify
