// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bootstrap of an image that lies in a registry.  On the shard of the repository.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "oci/repository.h"
#include "runtime/engine.h"
#include "runtime/offload.h"

namespace sluice::daemon {

// Fetches the manifest and the bootstrap layer, nothing else, and unpacks the layer on `computing` once all of its
// digest is verified: what is not what the manifest names is not even parsed.  Throws as oci::Repository,
// kUnsupported for an image that is not converted, kLimit for a layer above kMaxBootstrapLayer.
runtime::Task<std::vector<std::byte>> FetchBootstrap(oci::Repository& repository, runtime::Engine& engine,
                                                     runtime::Offload& computing);

constexpr uint64_t kMaxBootstrapLayer = 256 * kMiB;  // compressed; it is in memory as a whole

}  // namespace sluice::daemon
