// SPDX-License-Identifier: Apache-2.0
#include "signal_hold.h"

#include <array>

#include "base/error.h"

namespace sluice::tools {
namespace {

constexpr std::array kSignals = {SIGHUP, SIGINT, SIGTERM};

}  // namespace

SignalHold::SignalHold() {
  sigemptyset(&held_);
  for (const int signal : kSignals) {
    // A blocked signal becomes pending even when it is ignored (kernel/signal.c, sig_ignored).
    struct sigaction action = {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&held_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
}

SignalHold::~SignalHold() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

int SignalHold::Waiting() const noexcept {
  sigset_t pending = {};
  sigpending(&pending);
  for (const int signal : kSignals) {
    if (sigismember(&held_, signal) == 1 && sigismember(&pending, signal) == 1) return signal;
  }
  return 0;
}

bool SignalHold::Waits() const noexcept { return Waiting() != 0; }

void SignalHold::Check() const {
  if (const int signal = Waiting(); signal != 0) Throw(Errc::kStopped, "stopped by signal {}", signal);
}

}  // namespace sluice::tools
