// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/error_log.h"

namespace sluice::frontend::fanotify {

bool ErrorLog::Report(const std::string& message, std::string_view consequence) {
  const TimePoint now = clock_.Now();
  const auto known = past_.find(message);
  if (known == past_.end()) {
    if (past_.size() >= most_remembered_) past_.clear();
    past_.emplace(message, Past{.logged = now});
    log_.Error("{}: {}", message, consequence);
    return true;
  }
  if (now - known->second.logged < kQuiet) {
    ++known->second.suppressed;
    return false;
  }
  log_.Error("{}: {} ({} times more since it was last said)", message, consequence, known->second.suppressed);
  known->second = Past{.logged = now};
  return true;
}

}  // namespace sluice::frontend::fanotify
