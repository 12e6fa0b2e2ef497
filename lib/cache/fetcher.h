// SPDX-License-Identifier: Apache-2.0
#pragma once
// Brings runs of chunks from a source into the data file: read, decompress, verify, write.  Owned by the blob's shard.

#include <cstdint>
#include <vector>

#include "cache/blob_layout.h"
#include "cache/cache_shard.h"
#include "cache/data_file.h"
#include "cache/distance.h"
#include "cache/run_decoder.h"
#include "cache/sources.h"
#include "runtime/buffer_pool.h"
#include "runtime/task.h"

namespace sluice::cache {

// Told what a fetch achieves, on the blob's shard.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  // The verified bytes of a chunk, before they are written.
  virtual void OnBytes(uint32_t position, ConstBytes plain) = 0;
  // Verified bytes of `chunks` are in the data file.
  virtual void OnWritten(ChunkSpan chunks, runtime::Lane lane) = 0;
};

// What one flight is to bring.
struct FetchOrder {
  ChunkSpan run;            // made by RunAt
  uint32_t wanted_end = 0;  // readers wait for the chunks of the run before it; the others are fetched ahead
  RunLimits piece{.plain_bytes = UINT64_MAX, .stored_bytes = UINT64_MAX};  // as in StreamLimits
};

class Fetcher {
 public:
  struct Stats {
    uint64_t stored_bytes = 0;  // read from sources
    uint64_t refetches = 0;     // of single chunks
  };

  // All outlive the fetcher.
  Fetcher(CacheShard& shard, const BlobLayout& layout, FetchSink& sink) noexcept
      : shard_(shard), layout_(layout), sink_(sink), distance_(shard.limits.stream) {}

  // Where it writes; before the first Fetch().
  void SetData(DataFile& data) noexcept { data_ = &data; }

  void AddSource(std::shared_ptr<backend::BlobSource> source);
  void RemoveSource(const backend::BlobSource& source) { sources_.Remove(source); }
  const Stats& stats() const noexcept { return stats_; }

  // Fetches a run in one response, piece after piece.  When this ends, within limits.fetch_timeout plus what the kernel
  // needs to give up an operation, each chunk has been reported to the sink or is among the failures, whose messages
  // name blob and chunk.  For single chunks that failed and that readers wait for it asks again, limits.refetches
  // times. `memory`: MemoryFor(order) bytes at least; empty: the fetch waits for some of the demand buffers.
  runtime::Task<std::vector<ChunkFailure>> Fetch(FetchOrder order, runtime::Buffer memory = {});
  // The data file may have lost what was not synced: writes that are under way have failed.
  void OnDataLost() noexcept { ++data_losses_; }
  // What the fetch needs, in bytes; 0 for an empty run.
  uint64_t MemoryFor(const FetchOrder& order) const;
  // Of the sources, as far as fetches have told.
  const Distance& distance() const noexcept { return distance_; }
  // Stored bytes that were asked for and have not come.
  uint64_t under_way() const noexcept { return under_way_; }

 private:
  struct Flight;

  static runtime::Lane LaneOf(const Flight& flight, ChunkSpan chunks) noexcept;
  static runtime::Task<void> OpenFile(backend::BlobSource& source);
  runtime::Task<std::vector<ChunkFailure>> FetchAll(Flight& flight);
  runtime::Task<std::vector<ChunkFailure>> FetchOnce(Flight& flight, ChunkSpan run);
  runtime::Task<std::vector<ChunkFailure>> FetchSingly(Flight& flight, std::vector<ChunkFailure> failed);
  runtime::Task<bool> FetchAtOnce(Flight& flight, ChunkSpan run, std::shared_ptr<const backend::BlobFile> file);
  runtime::Task<std::vector<ChunkFailure>> Keep(Flight& flight, ChunkSpan piece, ConstBytes stored, MutableBytes plain,
                                                std::shared_ptr<backend::BlobSource> source);
  void Show(ChunkSpan piece, ConstBytes plain, const std::vector<ChunkFailure>& without);
  runtime::Task<std::vector<ChunkFailure>> Decode(ChunkSpan run, ConstBytes stored, MutableBytes plain,
                                                  runtime::Lane lane);
  void OnWritten(Flight& flight, ChunkSpan chunks);
  runtime::Task<void> Write(Flight& flight, ChunkSpan run, ConstBytes plain, const std::vector<ChunkFailure>& without);

  CacheShard& shard_;
  const BlobLayout& layout_;
  FetchSink& sink_;
  DataFile* data_ = nullptr;
  Sources sources_;
  Distance distance_;
  Stats stats_;
  uint64_t data_losses_ = 0;
  uint64_t under_way_ = 0;
};

}  // namespace sluice::cache
