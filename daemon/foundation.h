// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything that the worker is made of before its first thread: what was passed to it or has to be opened first.

#include <cstddef>

#include "api/types.h"
#include "base/fd.h"
#include "base/log.h"
#include "frontend_choice.h"
#include "options.h"
#include "runtime/engine.h"
#include "service_manager.h"

namespace sluice::daemon {

struct Foundation {
  const Options& options;
  Log& log;
  ServiceManager manager;
  Frontend frontend;
  size_t shards = 0;
  UniqueFd api_socket;
  UniqueFd signals;  // SIGTERM, SIGINT and SIGHUP, blocked in all threads
  UniqueFd holder;   // readable when the process that kept our descriptors at the start is gone; none under the service
                     // manager, which does not go
  UniqueFd lock;     // on the root directory
};

// Processors that are online, at least 1.
size_t CpuCount();

// Opens all of it or takes it over from a previous worker; `options` and `log` outlive it.  Throws kBusy when another
// daemon has the root, the socket or the kernel's interface; kUnsupported for front ends that this kernel lacks.
Foundation LayFoundation(const Options& options, Log& log);

// The part of the status that does not change.
api::Status AboutThis(const Foundation& base, const runtime::Engine& engine);

}  // namespace sluice::daemon
