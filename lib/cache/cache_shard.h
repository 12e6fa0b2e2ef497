// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all blob caches of one shard share.  Owned by the shard's BlobStore.

#include <memory>
#include <vector>

#include "cache/cache_limits.h"
#include "cache/file_shares.h"
#include "codec/chunk_codec.h"
#include "runtime/buffer_pool.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "runtime/token_bucket.h"

namespace sluice::cache {

// Decoders for jobs that may run on any CPU worker: a job takes one and gives it back.  As many as run at once.
class DecoderPool {
 public:
  std::unique_ptr<codec::ChunkDecoder> Take();
  void Give(std::unique_ptr<codec::ChunkDecoder> decoder) { idle_.push_back(std::move(decoder)); }

 private:
  std::vector<std::unique_ptr<codec::ChunkDecoder>> idle_;
};

struct CacheShard {
  CacheShard(runtime::Engine& the_engine, runtime::Offload& the_offload, const CacheLimits& the_limits)
      : engine(the_engine),
        offload(the_offload),
        limits(the_limits),
        demand_buffers(the_limits.demand_buffers),
        background_buffers(the_limits.background_buffers),
        ahead_bytes(the_engine, the_limits.ahead_bytes_per_second, the_limits.ahead_bytes_per_second + 1),
        ahead_requests(the_engine, the_limits.ahead_requests_per_second, the_limits.ahead_requests_per_second + 1),
        file_shares(the_limits) {}

  runtime::Engine& engine;
  runtime::Offload& offload;
  const CacheLimits limits;
  runtime::BufferPool demand_buffers;
  runtime::BufferPool background_buffers;
  runtime::TokenBucket ahead_bytes;
  runtime::TokenBucket ahead_requests;
  FileShares file_shares;
  DecoderPool decoders;
};

}  // namespace sluice::cache
