// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process that serves: made of all parts, replaced by its holder when it dies.

#include "base/log.h"
#include "options.h"

namespace sluice::daemon {

// Serves until SIGTERM or SIGINT finds nothing in use; returns the exit code.  Throws Error when it cannot begin.  The
// process has one thread when it is called.
int RunWorker(const Options& options, Log& log);

}  // namespace sluice::daemon
