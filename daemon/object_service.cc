// SPDX-License-Identifier: Apache-2.0
#include "object_service.h"

#include "frontend/cachefiles/blob_object.h"

namespace sluice::daemon {

void ObjectService::AddTo(api::Status& status) const {
  status.cache_error = objects_.disk.Trouble();
  const auto& stats = objects_.stats;
  status.counters.events += stats.reads;
  status.counters.hits += stats.hits;
  status.counters.misses += stats.misses;
  status.counters.errors += stats.errors;
  status.counters.fetched_stored_bytes += stats.fetched_stored_bytes;
  status.counters.fetched_plain_bytes += stats.fetched_plain_bytes;
  for (const frontend::cachefiles::BlobObject* blob : objects_.blobs) {
    const cache::BlobCache* const cache = blob->cache();
    status.blobs.push_back({.id = blob->layout().id().hex(),
                            .plain_bytes = blob->layout().chunk_bytes(),
                            .ready_bytes = cache != nullptr ? cache->ready_bytes() : 0,
                            .stored_bytes = blob->layout().stored_size(),
                            .complete = cache != nullptr && cache->complete(),
                            .references = blob->sources()});
    if (cache == nullptr) continue;
    status.counters.fetched_stored_bytes += cache->stats().fetched_stored_bytes;
    status.counters.fetched_plain_bytes += cache->stats().fetched_plain_bytes;
  }
}

void ObjectService::AddTo(std::map<frontend::cachefiles::ObjectKey, uint64_t>& bytes) const {
  for (const frontend::cachefiles::BlobObject* blob : objects_.blobs) {
    if (blob->cache() != nullptr) bytes[blob->key()] = blob->cache()->ready_bytes();
  }
}

}  // namespace sluice::daemon
