// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the service of a shard is made with, whatever front end it is for.

#include <cstdint>

#include "base/log.h"
#include "cache/cache_limits.h"
#include "network.h"
#include "runtime/engine.h"
#include "runtime/offload.h"

namespace sluice::daemon {

// All outlive the service.
struct ShardParts {
  runtime::Engine& engine;
  runtime::Offload& computing;  // decompression
  runtime::Offload& blocking;   // calls that wait for the kernel
  runtime::Offload& asking;     // for credentials and the like
  const Network::Configuration& network;
  const cache::CacheLimits& limits;
  Log& log;
  uint64_t seed;  // random, for delays and the like
};

}  // namespace sluice::daemon
