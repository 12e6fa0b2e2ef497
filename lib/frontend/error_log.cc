// SPDX-License-Identifier: Apache-2.0
#include "frontend/error_log.h"

namespace sluice::frontend {

bool ErrorLog::Report(const std::string& message, std::string_view consequence) {
  const TimePoint now = clock_.Now();
  if (said_.empty() || now - begin_ >= kPeriod) {
    if (unsaid_ > 0) log_.Error("{} repeated or further errors were not logged", unsaid_);
    begin_ = now;
    said_.clear();
    unsaid_ = 0;
  }
  if (said_.size() >= most_lines_ || !said_.insert(message).second) {
    ++unsaid_;
    return false;
  }
  log_.Error("{}: {}", message, consequence);
  return true;
}

}  // namespace sluice::frontend
