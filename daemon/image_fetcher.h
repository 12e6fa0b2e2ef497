// SPDX-License-Identifier: Apache-2.0
#pragma once
// From what a request names to a bootstrap and the place of its blobs, wherever they lie.  Belongs to the control
// shard.

#include <string>
#include <vector>

#include "api/types.h"
#include "backend_spec.h"
#include "base/clock.h"
#include "base/log.h"
#include "image_loader.h"
#include "network.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "runtime/semaphore.h"
#include "runtime/shard.h"

namespace sluice::daemon {

class ImageFetcher {
 public:
  struct ShardNetwork {
    runtime::Shard& shard;
    Network& network;
  };
  struct Parts {
    runtime::Engine& engine;
    runtime::Offload& blocking;          // for files
    runtime::Offload& computing;         // for unpacking
    std::vector<ShardNetwork> networks;  // of each shard that will read blobs; the first is that of the control shard
    Duration timeout;                    // for what a server has to say
    Log& log;                            // hears of keys of backend configurations that have no effect
  };

  struct Image {
    LoadedImage loaded;
    BackendSecrets secrets;
  };

  // All parts outlive the fetcher.
  explicit ImageFetcher(Parts parts) : parts_(std::move(parts)) {}

  // docker:// references, and those of LoadImage; some at a time, others wait.  Of an image in a registry only manifest
  // and bootstrap are fetched; meanwhile all shards get ready to read its blobs there.  Throws as LoadImage and
  // FetchBootstrap, kInvalidArgument for a backend configuration that makes no sense, kTimeout.
  runtime::Task<Image> Fetch(std::string image, api::ImageAccess access);

 private:
  // Each of which may need memory for its bootstrap.
  static constexpr uint64_t kMostAtOnce = 4;

  runtime::Task<Image> FetchNow(std::string image, api::ImageAccess access);
  runtime::Task<Image> FetchRemote(oci::RegistryReference reference, api::ImageAccess access);
  runtime::Task<std::vector<std::byte>> FetchFrom(oci::RegistryReference reference, RegistrySpec spec,
                                                  Secret credentials);
  Network& network() const noexcept { return parts_.networks.front().network; }

  const Parts parts_;
  runtime::Semaphore slots_{kMostAtOnce};
};

}  // namespace sluice::daemon
