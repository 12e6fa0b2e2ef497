// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the readers of files may keep busy, for each file system: nothing ends a thread that reads from a server which
// does not answer (NFS, FUSE), nor gives back the memory that it reads into.  Owned by one shard.

#include <cstdint>
#include <map>

#include "cache/cache_limits.h"
#include "runtime/semaphore.h"
#include "runtime/workers.h"  // for Lane

namespace sluice::cache {

class FileShares {
 public:
  explicit FileShares(const CacheLimits& limits) noexcept
      : bytes_(limits.demand_buffers / 2), reads_(limits.file_reads), reads_ahead_(limits.file_reads_ahead) {}

  // For one read with `bytes` bytes of the demand buffers, or of other memory on the background lane.  Waits, first
  // come, first served, for others of the same file system only.
  runtime::Acquisition Take(uint64_t file_system, runtime::Lane lane, uint64_t bytes);

 private:
  struct Shares {
    Shares(uint64_t bytes, uint64_t reads) noexcept : demand(bytes), ahead(reads) {}
    runtime::Semaphore demand;  // bytes
    runtime::Semaphore ahead;   // reads
  };

  const uint64_t bytes_;
  const uint64_t reads_;
  const uint64_t reads_ahead_;
  std::map<uint64_t, Shares> shares_;  // by file system: as many as this process has seen
};

}  // namespace sluice::cache
