// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cache of one blob: makes ranges of its cache file ready.  Owned by the blob's shard; not thread-safe.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/range.h"
#include "cache/blob_layout.h"
#include "cache/cache_limits.h"
#include "cache/cache_shard.h"
#include "cache/chunk_map.h"
#include "cache/data_file.h"
#include "cache/fetcher.h"
#include "cache/map_file.h"
#include "cache/neighbours.h"
#include "cache/prompts.h"
#include "cache/read_ahead.h"
#include "cache/readers.h"
#include "runtime/event.h"
#include "runtime/scope.h"

namespace sluice::cache {

class BlobCache;

// Since the cache was opened.
struct BlobStats {
  uint64_t hits = 0;                  // demands that found all their chunks ready
  uint64_t misses = 0;                // demands that had to wait
  uint64_t errors = 0;                // demands that failed
  uint64_t fetched_stored_bytes = 0;  // read from the backend
  uint64_t fetched_plain_bytes = 0;   // made ready
  uint64_t ahead_plain_bytes = 0;     // of these, fetched before anybody asked
  uint64_t refetches = 0;             // of chunks whose bytes were wrong or could not be read
  uint64_t checkpoint_errors = 0;     // the map file could not be brought up to date; tried again later
};

// The door that serves the blob.  Called on the blob's shard, from inside the cache: return soon, await nothing.
class BlobObserver {
 public:
  virtual ~BlobObserver() = default;
  // Every chunk is ready: the kernel may read the data file without asking.
  virtual void OnComplete(BlobCache& blob) noexcept = 0;
  // A complete blob is complete no longer: syncing the data file failed with `error`, and what was not on record counts
  // as lost.  The kernel has to ask again.
  virtual void OnIncomplete(BlobCache& blob, const Error& error) noexcept = 0;
};

class BlobCache final : private FetchSink {
 public:
  // Made by BlobStore::Acquire, or by a door whose data file itself tells what it holds: then without a map file, and
  // nothing is ever on record.  `data_path` may be any name then.  `shard` outlives the cache.
  BlobCache(CacheShard& shard, std::shared_ptr<const BlobLayout> layout, std::string data_path,
            std::optional<MapFile> map_file, ChunkMap map);
  ~BlobCache() override;

  const BlobLayout& layout() const noexcept { return *layout_; }
  // The sparse file of layout().plain_size() bytes that the kernel reads.
  const std::string& data_path() const noexcept { return data_path_; }

  // Gives the cache the file that it writes into: open for reading and writing, raising no events.  Once.  Before that
  // the cache answers what is ready, but cannot fetch: Ensure throws kBusy.
  void AttachData(std::unique_ptr<DataFile> data);
  void AttachData(runtime::File data) { AttachData(std::make_unique<PlainDataFile>(std::move(data))); }
  bool has_data() const noexcept { return data_ != nullptr; }

  // The bytes of `plain` are in the data file: verified, or zero because no chunk holds them.  The question of a
  // reader: it is counted and drives the read-ahead.  False: call Ensure().  Any range will do.
  bool TryHit(ByteRange plain) noexcept;
  // Ends when TryHit would be true.  Throws kCorrupt when a chunk's bytes stay wrong, kNotFound, kIo, kNoSpace,
  // kTimeout (limits.fetch_timeout per limits.demand_step), kStopped; the message names blob and chunk.  Nothing
  // sticks: the next call tries anew.
  runtime::Task<void> Ensure(ByteRange plain);

  // The ready chunks of `plain` are missing again: the data file does not hold them.
  void Forget(ByteRange plain) noexcept;

  // Every chunk is ready.
  bool complete() const noexcept { return map_.complete(); }
  uint64_t ready_bytes() const noexcept { return ready_bytes_; }  // of layout().chunk_bytes()
  BlobStats stats() const noexcept;
  // Null: none.  The observer outlives the cache or is taken away before.
  void SetObserver(BlobObserver* observer) noexcept { observer_ = observer; }

  // Where stored bytes come from.  With several sources, a fetch that fails goes on with the next.
  void AddSource(std::shared_ptr<backend::BlobSource> source) { fetcher_.AddSource(std::move(source)); }
  void RemoveSource(const backend::BlobSource& source) { fetcher_.RemoveSource(source); }

  // Makes what is ready survive a crash: syncs the data file, then writes the map file.
  // Throws kIo, kNoSpace; nothing is on record then that is not durable.
  runtime::Task<void> Checkpoint();
  // Ends all fetches and checkpoints; an error of the checkpoint only costs what was not on record.  The last call; no
  // Ensure() is running.
  runtime::Task<void> Close();

 private:
  bool NoteDemand(ByteRange plain, ChunkSpan want);
  ChunkSpan FirstStep(ChunkSpan want) const noexcept;
  void StartDemand(ChunkSpan want);
  ChunkSpan GoOn(ChunkSpan run);
  FetchOrder OrderOf(ChunkSpan run) const;
  void FetchAhead();
  ChunkSpan NextRunAhead(uint32_t others);
  runtime::Task<void> Fly(FetchOrder order);
  runtime::Task<void> FlyAhead();
  void Settle(const std::vector<ChunkFailure>& failures, uint32_t wanted_end);
  void OnBytes(uint32_t position, ConstBytes plain) override;
  void OnWritten(ChunkSpan chunks, runtime::Lane lane) override;
  runtime::Task<void> CheckpointLater();
  void LoseUnsaved(const Error& error);
  uint64_t CountReadyBytes() const noexcept;

  CacheShard& shard_;
  const std::shared_ptr<const BlobLayout> layout_;
  const std::string data_path_;
  std::optional<MapFile> map_file_;
  ChunkMap map_;
  std::unique_ptr<DataFile> data_;
  Fetcher fetcher_;
  Readers readers_;
  ReadAhead read_ahead_;
  Neighbours neighbours_;
  Prompts prompts_;
  BlobObserver* observer_ = nullptr;
  BlobStats stats_;
  uint64_t ready_bytes_ = 0;

  uint32_t waiting_ = 0;  // readers
  uint32_t flights_ahead_ = 0;
  TimePoint ahead_not_before_{};  // after a failure of a flight ahead
  uint64_t unsaved_bytes_ = 0;    // made ready since the last checkpoint began
  bool checkpoint_planned_ = false;
  runtime::Event checkpoint_due_;
  runtime::Semaphore checkpointing_{1};
  runtime::Scope scope_;
};

}  // namespace sluice::cache
