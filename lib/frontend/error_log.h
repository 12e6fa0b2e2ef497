// SPDX-License-Identifier: Apache-2.0
#pragma once
// Logs an error once and then keeps quiet about it for a while: a broken chunk is asked for again and again, and on a
// full disk every chunk is.  Owned by one shard.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/clock.h"
#include "base/log.h"

namespace sluice::frontend {

class ErrorLog {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(30);
  static constexpr size_t kMostLines = 100;

  // Both outlive this.  In each period at most `most_lines` different errors are logged.
  ErrorLog(const Clock& clock, Log& log, size_t most_lines = kMostLines) noexcept
      : clock_(clock), log_(log), most_lines_(most_lines) {}

  // `message` names what failed and why; `consequence` what happens next.  True when it was logged.
  bool Report(const std::string& message, std::string_view consequence);

 private:
  const Clock& clock_;
  Log& log_;
  const size_t most_lines_;
  TimePoint begin_{};                     // of the period
  std::unordered_set<std::string> said_;  // in the period
  uint64_t unsaid_ = 0;                   // repeated or too many
};

}  // namespace sluice::frontend
