// SPDX-License-Identifier: Apache-2.0
#include "notification.h"

#include <algorithm>

#include "base/error.h"

namespace sluice::daemon {
namespace {

constexpr size_t kMaxNameBytes = 255;  // systemd, FDNAME_MAX

// Printable ASCII without the separator of LISTEN_FDNAMES.
bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F && c != ':'; });
}

}  // namespace

Notification ParseNotification(std::string_view text) {
  Notification notification;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    const bool set = value == "1";
    if (name == "READY") {
      notification.ready = set;
    } else if (name == "STOPPING") {
      notification.stopping = set;
    } else if (name == "STATUS") {
      notification.status = value;
    } else if (name == "FDSTORE") {
      notification.store = set;
    } else if (name == "FDSTOREREMOVE") {
      notification.remove = set;
    } else if (name == "BARRIER") {
      notification.barrier = set;
    } else if (name == "FDNAME") {
      if (!IsName(value)) Throw(Errc::kCorrupt, "notification: '{}' is no name of a descriptor", value);
      notification.fd_name = value;
    }
  }
  return notification;
}

}  // namespace sluice::daemon
