// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lets a command clean up before a signal ends it.

#include <csignal>

namespace sluice::tools {

// While it lives, SIGHUP, SIGINT and SIGTERM wait (those that the caller of the program ignores stay ignored); made
// before the threads of the program, which inherit that.  Its destructor lets what waits happen: made first, destroyed
// last, so that the process ends by the signal, with everything else destroyed.
class SignalHold {
 public:
  SignalHold();
  ~SignalHold();
  SignalHold(const SignalHold&) = delete;
  SignalHold& operator=(const SignalHold&) = delete;

  // Whether one of the signals waits.  From any thread.
  bool Waits() const noexcept;
  // Throws kStopped when one does.
  void Check() const;

 private:
  int Waiting() const noexcept;  // the number of a signal, or 0
  sigset_t held_ = {};
  sigset_t before_ = {};
};

}  // namespace sluice::tools
