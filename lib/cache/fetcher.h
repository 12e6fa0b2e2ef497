// SPDX-License-Identifier: Apache-2.0
#pragma once
// Brings runs of chunks from a source into the data file: read, decompress, verify, write.  Owned by the blob's shard.

#include <cstdint>
#include <vector>

#include "cache/blob_layout.h"
#include "cache/cache_shard.h"
#include "cache/data_file.h"
#include "cache/run_decoder.h"
#include "cache/sources.h"
#include "runtime/buffer_pool.h"
#include "runtime/task.h"

namespace sluice::cache {

// Told what a fetch achieves, on the blob's shard.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  // Verified bytes of `chunks` are in the data file.
  virtual void OnWritten(ChunkSpan chunks, runtime::Lane lane) = 0;
};

class Fetcher {
 public:
  struct Stats {
    uint64_t stored_bytes = 0;  // read from sources
    uint64_t refetches = 0;     // of single chunks
  };

  // All outlive the fetcher.
  Fetcher(CacheShard& shard, const BlobLayout& layout, FetchSink& sink) noexcept
      : shard_(shard), layout_(layout), sink_(sink) {}

  // Where it writes; before the first Fetch().
  void SetData(DataFile& data) noexcept { data_ = &data; }

  Sources& sources() noexcept { return sources_; }
  const Stats& stats() const noexcept { return stats_; }

  // Fetches a run that was made by RunAt.  When this ends, within limits.fetch_timeout plus what the kernel needs to
  // give up an operation, each chunk has been reported to the sink or is among the failures, whose messages name blob
  // and chunk.  A demand fetch asks again for single chunks that failed, limits.refetches times; a fetch ahead does
  // not.  `memory`: MemoryFor(run) bytes at least; empty: the fetch waits for some of the demand buffers.
  runtime::Task<std::vector<ChunkFailure>> Fetch(ChunkSpan run, runtime::Lane lane, runtime::Buffer memory = {});
  // The data file may have lost what was not synced: writes that are under way have failed.
  void OnDataLost() noexcept { ++data_losses_; }
  // What a fetch of `run` needs, in bytes; 0 for an empty run.
  uint64_t MemoryFor(ChunkSpan run) const;

 private:
  struct Flight;

  runtime::Task<std::vector<ChunkFailure>> FetchAll(Flight& flight);
  runtime::Task<std::vector<ChunkFailure>> FetchOnce(Flight& flight, ChunkSpan run, MutableBytes memory);
  runtime::Task<std::vector<ChunkFailure>> FetchSingly(Flight& flight, std::vector<ChunkFailure> failed,
                                                       MutableBytes memory);
  runtime::Task<std::vector<ChunkFailure>> Decode(ChunkSpan run, ConstBytes stored, MutableBytes plain,
                                                  runtime::Lane lane);
  runtime::Task<void> Write(Flight& flight, ChunkSpan run, ConstBytes plain, const std::vector<ChunkFailure>& without);

  CacheShard& shard_;
  const BlobLayout& layout_;
  FetchSink& sink_;
  DataFile* data_ = nullptr;
  Sources sources_;
  Stats stats_;
  uint64_t data_losses_ = 0;
};

}  // namespace sluice::cache
