// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/stale_numbers.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace sluice::frontend::fanotify {

StaleNumbers::StaleNumbers(const std::vector<StaleEvent>& events) {
  for (const StaleEvent& stale : events) {
    const int number = stale.event.fd;
    if (number < 0 || ::fcntl(number, F_GETFD) >= 0) continue;
    // open(2) may hit the number itself: then nothing is left to move.
    UniqueFd placeholder(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!placeholder) ThrowErrno(errno, "cannot open /dev/null");
    if (placeholder.get() != number) {
      if (::dup3(placeholder.get(), number, O_CLOEXEC) < 0) {
        ThrowErrno(errno, "cannot occupy descriptor number {} of an unanswered event", number);
      }
      placeholder.Reset(number);
    }
    occupied_.emplace(number, std::move(placeholder));
  }
}

}  // namespace sluice::frontend::fanotify
