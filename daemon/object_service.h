// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one shard serves of the kernel's cache: its open objects and their backends.  Everything is called on that
// shard.

#include <map>
#include <memory>
#include <vector>

#include "api/types.h"
#include "backend_spec.h"
#include "base/log.h"
#include "blob_sources.h"
#include "frontend/cachefiles/message.h"
#include "frontend/cachefiles/open_object.h"
#include "runtime/offload.h"
#include "runtime/shard.h"

namespace sluice::daemon {

class ObjectService {
 public:
  // All outlive the service.
  struct Parts {
    runtime::Engine& engine;
    runtime::Offload& computing;  // decompression
    runtime::Offload& blocking;   // calls that wait for a file system
    Log& log;
  };

  explicit ObjectService(const Parts& parts) : objects_(parts.engine, parts.computing, parts.blocking, parts.log) {}

  frontend::cachefiles::ObjectShard& objects() noexcept { return objects_; }
  std::unique_ptr<backend::BlobSource> OpenSource(const BackendSpec& backend, const BackendSecrets& secrets,
                                                  const BlobId& id) {
    return sources_.Open(backend, secrets, id);
  }

  // Appends the open blobs and adds the counters of this shard.
  void AddTo(api::Status& status) const;
  // Adds the bytes that open blobs have in the cache.
  void AddTo(std::map<frontend::cachefiles::ObjectKey, uint64_t>& bytes) const;

 private:
  BlobSources sources_;
  frontend::cachefiles::ObjectShard objects_;
};

struct ObjectShardMember {
  runtime::Shard& shard;
  ObjectService& service;
};

}  // namespace sluice::daemon
