// SPDX-License-Identifier: Apache-2.0
#pragma once
// The caches of one shard's blobs and where they lie on disk: <root>/blobs/<id>-<first 16 digits of the layout
// digest>/{data,map} (docs/formats/cache.md).  A blob belongs to one shard, so two stores never share a directory.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "base/rng.h"
#include "cache/blob_cache.h"
#include "cache/cache_limits.h"
#include "cache/cache_shard.h"
#include "runtime/semaphore.h"
#include "runtime/task.h"

namespace sluice::cache {

// One user of a blob's cache.  Given back with BlobStore::Release; destroying one that was not aborts.
class BlobLease {
 public:
  BlobLease(BlobLease&& other) noexcept;
  BlobLease& operator=(BlobLease&&) = delete;
  ~BlobLease();

  BlobCache& operator*() const noexcept { return *cache_; }
  BlobCache* operator->() const noexcept { return cache_; }

 private:
  friend class BlobStore;
  BlobLease(BlobCache& cache, std::shared_ptr<backend::BlobSource> source) noexcept;
  BlobCache* cache_;
  std::shared_ptr<backend::BlobSource> source_;
};

class BlobStore {
 public:
  // `root` exists.  `seed`: random, for the names of map files.  Engine and offload outlive the store.
  BlobStore(runtime::Engine& engine, runtime::Offload& offload, std::string root, uint64_t seed,
            const CacheLimits& limits = {});
  // All leases have been given back.
  ~BlobStore();

  // The cache of the blob, opened or made.  All leases of one layout share one cache; each brings its own source.  When
  // this ends the data file exists, with its full size, durably: it can be marked and mounted.
  runtime::Task<BlobLease> Acquire(std::shared_ptr<const BlobLayout> layout,
                                   std::unique_ptr<backend::BlobSource> source);
  // Closes the cache with its last lease.  Its files stay.  A stop request does not end it.
  runtime::Task<void> Release(BlobLease lease);

  // Calls `f(const BlobCache&, uint64_t leases)` for each open cache.
  template <typename F>
  void ForEach(F f) const {
    for (const auto& [name, entry] : open_) f(*entry.cache, entry.leases);
  }

 private:
  struct Entry {
    std::unique_ptr<BlobCache> cache;
    uint64_t leases = 0;
  };

  runtime::Task<void> ReleaseNow(BlobLease lease);
  static std::string NameOf(const BlobLayout& layout);
  runtime::Task<std::unique_ptr<BlobCache>> Open(std::string name, std::shared_ptr<const BlobLayout> layout);
  runtime::Task<void> PrepareData(std::string directory, const BlobLayout& layout);

  CacheShard shard_;
  const std::string root_;
  Rng rng_;
  std::map<std::string, Entry> open_;  // by name of its directory
  runtime::Semaphore opening_{1};      // one cache is opened or closed at a time
};

}  // namespace sluice::cache
