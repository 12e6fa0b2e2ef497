// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_cache.h"

#include <algorithm>

#include "base/check.h"
#include "cache/run.h"
#include "runtime/combine.h"

namespace sluice::cache {

using runtime::Lane;
using runtime::Task;

BlobCache::BlobCache(CacheShard& shard, std::shared_ptr<const BlobLayout> layout, std::string data_path,
                     std::optional<MapFile> map_file, ChunkMap map)
    : shard_(shard),
      layout_(std::move(layout)),
      data_path_(std::move(data_path)),
      map_file_(std::move(map_file)),
      map_(std::move(map)),
      fetcher_(shard_, *layout_, *this),
      readers_(map_),
      read_ahead_(layout_->plain_size(), shard_.limits.read_ahead),
      ready_bytes_(CountReadyBytes()),
      scope_(shard_.engine, "blob cache") {}

BlobCache::~BlobCache() = default;

void BlobCache::AttachData(std::unique_ptr<DataFile> data) {
  SLUICE_CHECK(!has_data(), "a blob cache gets its data file once");
  data_ = std::move(data);
  fetcher_.SetData(*data_);
}

BlobStats BlobCache::stats() const noexcept {
  BlobStats stats = stats_;
  stats.fetched_stored_bytes = fetcher_.stats().stored_bytes;
  stats.refetches = fetcher_.stats().refetches;
  return stats;
}

bool BlobCache::TryHit(ByteRange plain) noexcept {
  if (!map_.AreReady(layout_->Covering(plain))) return false;
  ++stats_.hits;
  if (!complete() && read_ahead_.OnDemand(plain)) FetchAhead();
  return true;
}

Task<void> BlobCache::Ensure(ByteRange plain) {
  if (TryHit(plain)) co_return;
  ++stats_.misses;
  if (!has_data()) Throw(Errc::kBusy, "blob '{}': its data file is not attached yet", layout_->id().hex());
  bool noted = false;
  ChunkSpan want = layout_->Covering(plain);
  uint32_t waited_for = want.end;
  TimePoint deadline;
  for (;;) {
    want.first = map_.FirstNotReady(want);
    if (want.empty()) co_return;
    const ChunkSpan step = FirstStep(want);
    // One deadline for each step, however many flights it takes.
    if (step.first != std::exchange(waited_for, step.first)) {
      deadline = shard_.engine.Now() + shard_.limits.fetch_timeout;
    }
    Readers::Reader reader(readers_, step);
    StartDemand(step);
    // What this demand tells about the next ones counts once, and after what the reader needs now.
    if (!std::exchange(noted, true) && read_ahead_.OnDemand(plain)) FetchAhead();
    try {
      co_await WithTimeout(shard_.engine, deadline - shard_.engine.Now(), reader.Wait());
    } catch (Error& e) {
      ++stats_.errors;
      e.AddContext(NameOf(*layout_, step));
      throw;
    }
    if (reader.error()) {
      ++stats_.errors;
      throw Error(*reader.error());
    }
  }
}

// The part of `want` that is fetched at once: limits.demand_step plain bytes, but at least one chunk.
ChunkSpan BlobCache::FirstStep(ChunkSpan want) const noexcept {
  const uint64_t begin = layout_->chunk(want.first).plain_offset;
  const ChunkSpan near = layout_->Covering({begin, shard_.limits.demand_step});
  return {want.first, std::min(want.end, near.end)};
}

void BlobCache::StartDemand(ChunkSpan want) {
  while ((want.first = map_.FirstMissing(want)) < want.end) {
    const ChunkSpan run = RunAt(*layout_, map_, want.first, want.end, shard_.limits.demand);
    map_.Claim(run);
    scope_.Spawn(Fly(run));
    want.first = run.end;
  }
}

void BlobCache::FetchAhead() {
  if (!has_data() || scope_.stop_requested() || shard_.engine.Now() < ahead_not_before_) return;
  while (flights_ahead_ < shard_.limits.background_flights && !NextRunAhead().empty()) {
    ++flights_ahead_;
    scope_.Spawn(FlyAhead());
  }
}

ChunkSpan BlobCache::NextRunAhead() const noexcept {
  for (size_t stream = 0; stream < ReadAhead::kStreams; ++stream) {
    const ChunkSpan window = layout_->Covering(read_ahead_.Window(stream));
    const uint32_t first = map_.FirstMissing(window);
    if (first < window.end) return RunAt(*layout_, map_, first, window.end, shard_.limits.background);
  }
  return {};
}

// One flight for readers: takes over the claim on `run` and gives it back chunk by chunk.
Task<void> BlobCache::Fly(ChunkSpan run) {
  const std::vector<ChunkFailure> failures = co_await fetcher_.Fetch(run, Lane::kDemand);
  for (const ChunkFailure& failure : failures) {
    map_.GiveUp(failure.position);
    readers_.Settle({failure.position, failure.position + 1}, &failure.error);
  }
}

// One flight that nobody has asked for.  Memory first, claims after: what is claimed is on its way, and a reader waits
// for it.
Task<void> BlobCache::FlyAhead() {
  co_await shard_.ahead_bytes.Take(StoredBytes(*layout_, NextRunAhead()).length);
  co_await shard_.ahead_requests.Take(1);
  runtime::Buffer memory;
  try {
    memory = co_await shard_.background_buffers.Take(fetcher_.MemoryFor(NextRunAhead()));
  } catch (const Error& e) {
    if (e.code() == Errc::kStopped) throw;
  }
  // Meanwhile others may have fetched, or claimed, what was worth fetching.
  ChunkSpan run = NextRunAhead();
  while (!run.empty() && fetcher_.MemoryFor(run) > memory.size()) --run.end;
  bool failed = memory.size() == 0;
  if (!run.empty()) {
    map_.Claim(run);
    const std::vector<ChunkFailure> failures = co_await fetcher_.Fetch(run, Lane::kBackground, std::move(memory));
    failed = !failures.empty();
    for (const ChunkFailure& failure : failures) {
      map_.GiveUp(failure.position);
      // Whoever waits for it by now gets a fetch of his own, with refetches.
      readers_.Settle({failure.position, failure.position + 1});
    }
  }
  --flights_ahead_;
  if (failed) ahead_not_before_ = shard_.engine.Now() + shard_.limits.ahead_pause;
  FetchAhead();
}

void BlobCache::OnWritten(ChunkSpan chunks, Lane lane) {
  uint64_t bytes = 0;
  for (uint32_t position = chunks.first; position < chunks.end; ++position) {
    map_.MarkReady(position);
    bytes += layout_->chunk(position).plain_size;
  }
  ready_bytes_ += bytes;
  stats_.fetched_plain_bytes += bytes;
  if (lane == Lane::kBackground) stats_.ahead_plain_bytes += bytes;
  readers_.Settle(chunks);

  if (map_file_) {
    unsaved_bytes_ += bytes;
    if (unsaved_bytes_ >= shard_.limits.checkpoint_bytes) checkpoint_due_.Set();
    if (!std::exchange(checkpoint_planned_, true)) scope_.Spawn(CheckpointLater());
  }
  if (complete() && observer_ != nullptr) observer_->OnComplete(*this);
}

Task<void> BlobCache::CheckpointLater() {
  while (map_.has_unsaved()) {
    try {
      co_await WithTimeout(shard_.engine, shard_.limits.checkpoint_interval, checkpoint_due_.Wait());
    } catch (const Error& e) {
      if (e.code() != Errc::kTimeout) throw;  // the cache is being closed
    }
    checkpoint_due_.Reset();
    try {
      co_await Checkpoint();
    } catch (const Error& e) {
      if (e.code() == Errc::kStopped) throw;
      ++stats_.checkpoint_errors;
    }
  }
  checkpoint_planned_ = false;
}

Task<void> BlobCache::Checkpoint() {
  if (!map_file_) co_return;
  const runtime::Permit alone = co_await checkpointing_.Acquire(1);
  const std::vector<ChunkMap::Page> pages = map_.UnsavedPages();
  if (pages.empty()) co_return;
  unsaved_bytes_ = 0;
  // The kernel reports a failed write-back once and then forgets the data: this answer must not get lost, so no stop
  // request ends the call.
  std::optional<Error> lost;
  try {
    co_await WithoutStop(data_->SyncData());
  } catch (const Error& e) {
    lost = e;
  }
  if (lost) {
    LoseUnsaved(*lost);
    throw Error(*lost);
  }
  co_await map_file_->Save(pages);
  map_.MarkSaved(pages);
}

void BlobCache::LoseUnsaved(const Error& error) {
  const bool was_complete = complete();
  map_.ForgetUnsaved();
  fetcher_.OnDataLost();
  ready_bytes_ = CountReadyBytes();
  if (was_complete && !complete() && observer_ != nullptr) observer_->OnIncomplete(*this, error);
}

void BlobCache::Forget(ByteRange plain) noexcept {
  const ChunkSpan lost = layout_->Covering(plain);
  for (uint32_t position = lost.first; position < lost.end; ++position)
    if (map_.IsReady(position)) map_.Forget(position);
  ready_bytes_ = CountReadyBytes();
}

uint64_t BlobCache::CountReadyBytes() const noexcept {
  uint64_t bytes = 0;
  for (uint32_t position = 0; position < map_.count(); ++position)
    if (map_.IsReady(position)) bytes += layout_->chunk(position).plain_size;
  return bytes;
}

Task<void> BlobCache::Close() {
  scope_.RequestStop();
  co_await scope_.Join();
  try {
    co_await Checkpoint();
  } catch (const Error&) {
    ++stats_.checkpoint_errors;
  }
  data_.reset();
}

}  // namespace sluice::cache
