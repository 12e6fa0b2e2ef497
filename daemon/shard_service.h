// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one shard serves: its blob caches and their door.  Everything is called on that shard.

#include <memory>
#include <string>
#include <vector>

#include "api/types.h"
#include "backend_spec.h"
#include "cache/blob_layout.h"
#include "cache/blob_store.h"
#include "frontend/fanotify/door.h"
#include "network.h"
#include "shard_parts.h"

namespace sluice::daemon {

class ShardService {
 public:
  ShardService(const ShardParts& parts, const std::string& root, frontend::fanotify::Gate gate);

  // Opens the blob at its backend, its cache and its door.  When this ends the data file can be given to mount(2); then
  // follows Opened().
  runtime::Task<cache::BlobLease> Acquire(std::shared_ptr<const cache::BlobLayout> layout, const BackendSpec& backend,
                                          const BackendSecrets& secrets);
  void Opened(const cache::BlobLease& lease) noexcept { door_.Opened(*lease); }
  // Nothing reads the data file through the mount that the lease was for.
  runtime::Task<void> Release(cache::BlobLease lease);

  // Begins to answer the kernel; before that readers wait.
  void Open() { door_.Open(); }
  // Answers what a previous worker left.  `all_served`: everything that it served has been acquired.
  runtime::Task<void> Recover(bool all_served) { return door_.Recover(all_served); }
  // Ends answering.  All leases have been released.
  runtime::Task<void> Close();

  Network& network() noexcept { return network_; }

  // Appends the blobs and adds the counters of this shard.
  void AddTo(api::Status& status) const;

 private:
  Network network_;
  cache::BlobStore store_;
  frontend::fanotify::Door door_;
  cache::BlobStats closed_;  // of caches that are not open any more
};

}  // namespace sluice::daemon
