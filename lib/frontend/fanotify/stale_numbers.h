// SPDX-License-Identifier: Apache-2.0
#pragma once
// The descriptor numbers of events that a previous process left unanswered.  Answers name an event by this number
// alone, so no new event may get one of them: they are occupied before the first event is read.

#include <map>
#include <vector>

#include "base/fd.h"
#include "frontend/fanotify/journal.h"

namespace sluice::frontend::fanotify {

class StaleNumbers {
 public:
  StaleNumbers() = default;
  // Occupies the numbers that are free in this process.  Those that are not free are in use for good: this is called
  // when only standard streams and passed descriptors are open.  Throws kLimit when the numbers exceed RLIMIT_NOFILE.
  explicit StaleNumbers(const std::vector<StaleEvent>& events);

  // The event has been answered: events may get the number again.
  void Free(int number) noexcept { occupied_.erase(number); }

 private:
  std::map<int, UniqueFd> occupied_;
};

}  // namespace sluice::frontend::fanotify
