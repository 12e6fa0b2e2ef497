// SPDX-License-Identifier: Apache-2.0
#pragma once
// What backends get from the shard that they belong to.

#include <functional>

#include "base/clock.h"
#include "base/rng.h"
#include "http/host_health.h"
#include "http/transport.h"
#include "runtime/engine.h"

namespace sluice::backend {

// References to what outlives backends and sources.
struct Services {
  runtime::Engine& engine;
  http::Transport& transport;  // follows redirects
  http::HostHealth& health;    // shared by all mounts of the shard: a dead server is dead for all
  Rng& rng;
  const WallClock& wall_clock;
  // getenv(3): null when the variable is not set.
  std::function<const char*(const char*)> environment;
};

}  // namespace sluice::backend
