// SPDX-License-Identifier: Apache-2.0
#pragma once
// A message of the service manager protocol (sd_notify(3)) as the holder receives it.  Pure.

#include <string>
#include <string_view>

namespace sluice::daemon {

struct Notification {
  bool ready = false;     // READY=1
  bool stopping = false;  // STOPPING=1
  std::string status;     // STATUS=…, for people; empty: none
  bool store = false;     // FDSTORE=1: keep the descriptors that came along
  bool remove = false;    // FDSTOREREMOVE=1: forget the descriptors called fd_name
  std::string fd_name;    // FDNAME=…
  bool barrier = false;   // BARRIER=1: close the descriptor that came along when all before is done

  bool operator==(const Notification&) const = default;
};

// Lines of NAME=VALUE; those that the holder has no use for are passed over, as sd_notify(3) asks.  Throws kCorrupt for
// a descriptor name that LISTEN_FDNAMES cannot carry.
Notification ParseNotification(std::string_view text);

}  // namespace sluice::daemon
