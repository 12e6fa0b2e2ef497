// SPDX-License-Identifier: Apache-2.0
#pragma once
// What backends get from the shard that they belong to.

#include <functional>

#include "base/clock.h"
#include "base/rng.h"
#include "http/host_health.h"
#include "http/transport.h"
#include "runtime/engine.h"
#include "runtime/offload.h"

namespace sluice::backend {

// References to what outlives backends and sources.
struct Services {
  runtime::Engine& engine;
  http::Transport& transport;  // sends; follows no redirects
  runtime::Offload& offload;   // for what blocks
  http::HostHealth& health;    // shared by all mounts of the shard: a dead server is dead for all
  Rng& rng;
  const WallClock& wall_clock;
  std::function<const char*(const char*)> environment;  // getenv(3): null when the variable is not set
};

}  // namespace sluice::backend
