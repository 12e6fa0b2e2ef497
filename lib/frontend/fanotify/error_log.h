// SPDX-License-Identifier: Apache-2.0
#pragma once
// Logs an error once and then keeps quiet about it for a while: a broken chunk is asked for again and again.  Owned by
// one shard.

#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"

namespace sluice::frontend::fanotify {

class ErrorLog {
 public:
  static constexpr Duration kQuiet = std::chrono::seconds(30);
  static constexpr size_t kMostRemembered = 1024;

  // Both outlive this.  When there are more than `most_remembered` errors, all are forgotten.
  ErrorLog(const Clock& clock, Log& log, size_t most_remembered = kMostRemembered) noexcept
      : clock_(clock), log_(log), most_remembered_(most_remembered) {}

  // `message` names what failed and why; `consequence` what happens next.  True when it was logged.
  bool Report(const std::string& message, std::string_view consequence);

 private:
  struct Past {
    TimePoint logged;
    uint64_t suppressed = 0;
  };
  const Clock& clock_;
  Log& log_;
  const size_t most_remembered_;
  std::unordered_map<std::string, Past> past_;
};

}  // namespace sluice::frontend::fanotify
