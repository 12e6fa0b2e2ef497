// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the daemon serves of the kernel's cache: the open objects and their backends.  Everything is called on one
// shard.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/types.h"
#include "backend_spec.h"
#include "frontend/cachefiles/message.h"
#include "frontend/cachefiles/open_object.h"
#include "network.h"
#include "runtime/offload.h"
#include "shard_parts.h"

namespace sluice::daemon {

class ObjectService {
 public:
  // `directory`: of the kernel's cache.  `writing`: threads that fill objects; they outlive the service.
  ObjectService(const ShardParts& parts, const std::string& directory, runtime::Offload& writing)
      : network_(parts.engine, parts.asking, parts.network, parts.seed),
        objects_(parts.engine, directory, parts.computing, writing, parts.log, parts.limits) {}

  frontend::cachefiles::ObjectShard& objects() noexcept { return objects_; }
  std::unique_ptr<backend::BlobSource> OpenSource(const BackendSpec& backend, const BackendSecrets& secrets,
                                                  const BlobId& id) {
    return network_.OpenBlob(backend, secrets, id);
  }
  Network& network() noexcept { return network_; }
  // All objects are closed.
  runtime::Task<void> Close() { return network_.Close(); }

  // Appends the open blobs, adds the counters and what is wrong with the disk.
  void AddTo(api::Status& status) const;
  // Adds the bytes that open blobs have in the cache.
  void AddTo(std::map<frontend::cachefiles::ObjectKey, uint64_t>& bytes) const;

 private:
  Network network_;
  frontend::cachefiles::ObjectShard objects_;
};

}  // namespace sluice::daemon
