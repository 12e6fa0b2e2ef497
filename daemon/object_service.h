// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one shard serves of the kernel's cache: its open objects and their backends.  Everything is called on that
// shard.

#include <map>
#include <memory>
#include <vector>

#include "api/types.h"
#include "backend_spec.h"
#include "frontend/cachefiles/message.h"
#include "frontend/cachefiles/open_object.h"
#include "network.h"
#include "runtime/shard.h"
#include "shard_parts.h"

namespace sluice::daemon {

class ObjectService {
 public:
  explicit ObjectService(const ShardParts& parts)
      : network_(parts.engine, parts.asking, parts.network, parts.seed),
        objects_(parts.engine, parts.computing, parts.blocking, parts.log, parts.limits) {}

  frontend::cachefiles::ObjectShard& objects() noexcept { return objects_; }
  std::unique_ptr<backend::BlobSource> OpenSource(const BackendSpec& backend, const BackendSecrets& secrets,
                                                  const BlobId& id) {
    return network_.OpenBlob(backend, secrets, id);
  }
  Network& network() noexcept { return network_; }
  // All objects are closed.
  runtime::Task<void> Close() { return network_.Close(); }

  // Appends the open blobs and adds the counters of this shard.
  void AddTo(api::Status& status) const;
  // Adds the bytes that open blobs have in the cache.
  void AddTo(std::map<frontend::cachefiles::ObjectKey, uint64_t>& bytes) const;

 private:
  Network network_;
  frontend::cachefiles::ObjectShard objects_;
};

struct ObjectShardMember {
  runtime::Shard& shard;
  ObjectService& service;
};

}  // namespace sluice::daemon
