// SPDX-License-Identifier: Apache-2.0
#pragma once
// One shard's way to servers: connections, what is known about the servers' health, and the places that mounts take
// their blobs from.  However many mounts there are, it has one pool of connections.

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend_spec.h"
#include "base/blob_id.h"
#include "base/rng.h"
#include "http/client.h"
#include "http/host_health.h"
#include "http/proxy.h"
#include "network_options.h"
#include "oci/credentials.h"
#include "oci/registry_hosts.h"
#include "oci/repository.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "runtime/wall_clock.h"

namespace sluice::daemon {

class Network {
 public:
  // What all shards share, immutable; outlives them.
  struct Configuration {
    NetworkOptions options;
    std::shared_ptr<const http::ProxyRules> proxies;
    oci::RegistryHosts hosts;

    // Reads the environment.  Throws kInvalidArgument for a proxy that makes no sense, without its password.
    static Configuration Make(const NetworkOptions& options);
  };

  // `asking`: for files and programs with certificates and credentials.  All outlive the network.
  Network(runtime::Engine& engine, runtime::Offload& asking, const Configuration& configuration, uint64_t seed);
  ~Network();

  // Reads certificates and the like, but asks no server.  Throws kNotFound, kPermission, kCorrupt naming a file.
  runtime::Task<std::shared_ptr<oci::Repository>> OpenRepository(oci::RegistryReference image, RegistrySpec spec,
                                                                 Secret credentials);
  // Connects and logs in at the place that `image` lies in, for blobs that are opened soon.  Throws as OpenRepository;
  // what a server says is told to those who read.
  runtime::Task<void> Prepare(oci::RegistryReference image, RegistrySpec spec, Secret credentials);
  // Blobs that are opened at this place from now on are read from `repository`, which is in use already.
  void Adopt(RegistrySpec spec, Secret credentials, std::shared_ptr<oci::Repository> repository);
  // The same for any backend.  Throws kInvalidArgument for a configuration that makes no sense.
  runtime::Task<std::unique_ptr<backend::Backend>> OpenBackend(BackendSpec spec, BackendSecrets secrets);

  // Does no I/O and does not fail: what OpenBackend throws is thrown by the reads, until it works.  Blobs of one place
  // share its tokens and what is known about it, whatever mounts they belong to.
  std::unique_ptr<backend::BlobSource> OpenBlob(const BackendSpec& spec, const BackendSecrets& secrets,
                                                const BlobId& id);

  // All sources and repositories are gone.  The last call.
  runtime::Task<void> Close();

 private:
  class Place;
  class Source;
  class Stream;

  // Images whose blobs nobody has opened yet keep their place for so many others: the mounts that are prepared at once.
  static constexpr size_t kMostAwaited = 4;

  std::shared_ptr<Place> FindPlace(const BackendSpec& spec, const BackendSecrets& secrets);

  runtime::Engine& engine_;
  runtime::Offload& asking_;
  const Configuration& configuration_;
  const runtime::SystemWallClock wall_clock_;
  Rng rng_;
  http::HostHealth health_;
  http::Client client_;
  std::vector<std::weak_ptr<Place>> places_;     // that sources use, or will; of equal ones the last is used
  std::vector<std::shared_ptr<Place>> awaited_;  // that no source uses yet
};

}  // namespace sluice::daemon
