// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the control shard does beside the mounts: the API, signals, looking after things from time to time.

#include "api/routes.h"
#include "foundation.h"
#include "http/server.h"
#include "runtime/engine.h"
#include "runtime/scope.h"
#include "runtime/task.h"
#include "serving.h"

namespace sluice::daemon {

class Control {
 public:
  // All outlive the control; takes the API socket of `base`.
  Control(Foundation& base, runtime::Engine& engine, Serving& mounts);

  // Ends after SIGTERM or SIGINT, when nothing is mounted any more.
  runtime::Task<void> Run();

 private:
  runtime::Task<void> ServeApi(http::Server& server);
  runtime::Task<void> ServeUntilStopped();
  runtime::Task<void> SweepForever();
  runtime::Task<void> WatchHolderEnd();

  Foundation& base_;
  runtime::Engine& engine_;
  Serving& mounts_;
  api::Routes routes_;
  runtime::Scope scope_;
};

}  // namespace sluice::daemon
