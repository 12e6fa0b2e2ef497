// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_cache.h"

#include <algorithm>

#include "base/check.h"
#include "cache/run.h"
#include "runtime/combine.h"

namespace sluice::cache {

using runtime::Lane;
using runtime::Task;

namespace {

uint64_t Part(uint64_t bytes, double factor, uint64_t most) {
  return static_cast<uint64_t>(std::min(static_cast<double>(bytes) * factor, static_cast<double>(most)));
}

// Counts a reader while it waits.
class Waiting {
 public:
  explicit Waiting(uint32_t& count) noexcept : count_(count) { ++count_; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { --count_; }

 private:
  uint32_t& count_;
};

}  // namespace

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
      neighbours_(*layout_),
      prompts_(*layout_, shard_.limits.prompts),
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
  const ChunkSpan want = layout_->Covering(plain);
  if (!map_.AreReady(want)) return false;
  ++stats_.hits;
  if (!complete() && NoteDemand(plain, want)) FetchAhead();
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
    const Waiting waiting(waiting_);
    if (!std::exchange(noted, true) && NoteDemand(plain, want)) FetchAhead();
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

// True: more has become worth fetching ahead.
bool BlobCache::NoteDemand(ByteRange plain, ChunkSpan want) {
  const bool far = fetcher_.distance().in_flight() > 0;
  if (!fetcher_.distance().is_near()) prompts_.OnRead(want);
  if (far) neighbours_.OnRead(want);
  return read_ahead_.OnDemand(plain) || far;
}

// The part of `want` that is fetched at once: limits.demand_step plain bytes, but at least one chunk.
ChunkSpan BlobCache::FirstStep(ChunkSpan want) const noexcept {
  const uint64_t begin = layout_->chunk(want.first).plain_offset;
  const ChunkSpan near = layout_->Covering({begin, shard_.limits.demand_step});
  return {want.first, std::min(want.end, near.end)};
}

void BlobCache::StartDemand(ChunkSpan want) {
  while ((want.first = map_.FirstMissing(want)) < want.end) {
    FetchOrder order = OrderOf(RunAt(*layout_, map_, want.first, want.end, shard_.limits.demand));
    order.wanted_end = order.run.end;
    if (order.run.end == want.end) order.run = GoOn(order.run);
    map_.Claim(order.run);
    scope_.Spawn(Fly(order));
    want.first = order.run.end;
  }
}

// As much behind a run that readers wait for as the way of the first byte is worth.
ChunkSpan BlobCache::GoOn(ChunkSpan run) {
  const StreamLimits& limits = shard_.limits.stream;
  const uint64_t ahead = Part(fetcher_.distance().in_flight(), limits.ahead, limits.max_ahead);
  if (ahead == 0 || shard_.engine.Now() < ahead_not_before_) return run;
  const RunLimits longer{.plain_bytes = PlainBlocks(*layout_, run).length + limits.plain_bytes,
                         .stored_bytes = StoredBytes(*layout_, run).length + ahead,
                         .stored_gap = shard_.limits.demand.stored_gap};
  const ChunkSpan further = RunAt(*layout_, map_, run.first, map_.count(), longer);
  const uint64_t behind = StoredBytes(*layout_, further).length - StoredBytes(*layout_, run).length;
  return shard_.ahead_bytes.TryTake(behind) ? further : run;
}

// In pieces when the source is far, all at once when it is near.
FetchOrder BlobCache::OrderOf(ChunkSpan run) const {
  FetchOrder order{.run = run, .wanted_end = run.first};
  if (fetcher_.distance().in_flight() > 0) order.piece = shard_.limits.stream.piece;
  return order;
}

void BlobCache::FetchAhead() {
  const bool far = fetcher_.distance().in_flight() > 0;
  const uint32_t flights = far ? shard_.limits.stream.flights : shard_.limits.background_flights;
  // Asked again after each: a flight may fail before it ever waits.
  const auto may_fly = [&] {
    return has_data() && !scope_.stop_requested() && shard_.engine.Now() >= ahead_not_before_ &&
           flights_ahead_ < flights;
  };
  while (may_fly() && !NextRunAhead(flights_ahead_).empty()) {
    ++flights_ahead_;
    scope_.Spawn(FlyAhead());
  }
}

// Where readers go on in order; else what the files speak of that were opened; else, while a reader waits for the way
// that its bytes have, what may be next.  `others`: flights ahead that are under way.
ChunkSpan BlobCache::NextRunAhead(uint32_t others) {
  const StreamLimits& limits = shard_.limits.stream;
  const uint64_t in_flight = fetcher_.distance().in_flight();
  // More than that is nothing but a queue before the next miss.
  const auto is_full = [&](double part) {
    return in_flight > 0 && fetcher_.under_way() >= Part(in_flight, part, INT64_MAX);
  };
  if (is_full(limits.under_way_in_order)) return {};
  for (size_t stream = 0; stream < ReadAhead::kStreams; ++stream) {
    const ChunkSpan window = layout_->Covering(read_ahead_.Window(stream));
    const uint32_t first = map_.FirstMissing(window);
    if (first < window.end) return RunAt(*layout_, map_, first, window.end, shard_.limits.background);
  }
  if (in_flight == 0 || is_full(limits.under_way)) return {};
  const RunLimits prompted{.plain_bytes = limits.plain_bytes,
                           .stored_bytes = shard_.limits.prompts.stored_bytes,
                           .stored_gap = shard_.limits.background.stored_gap};
  if (const ChunkSpan run = prompts_.Pick(map_, prompted); !run.empty()) return run;
  if (waiting_ == 0 || others >= limits.neighbour_flights) return {};
  const RunLimits run{
      .plain_bytes = limits.plain_bytes,
      .stored_bytes = std::max(limits.min_neighbours, Part(in_flight, limits.neighbours, limits.max_neighbours)),
      .stored_gap = shard_.limits.background.stored_gap};
  return neighbours_.Pick(map_, run);
}

// One flight for readers: takes over the claim on its run and gives it back chunk by chunk.
Task<void> BlobCache::Fly(FetchOrder order) {
  const std::vector<ChunkFailure> failures = co_await fetcher_.Fetch(order);
  Settle(failures, order.wanted_end);
}

void BlobCache::Settle(const std::vector<ChunkFailure>& failures, uint32_t wanted_end) {
  for (const ChunkFailure& failure : failures) {
    map_.GiveUp(failure.position);
    const bool wanted = failure.position < wanted_end;
    // Whoever waits by now for what was fetched ahead gets a fetch of his own, with refetches.
    readers_.Settle({failure.position, failure.position + 1}, wanted ? &failure.error : nullptr);
    if (!wanted) ahead_not_before_ = shard_.engine.Now() + shard_.limits.ahead_pause;
  }
}

// One flight that nobody has asked for.  Memory first, claims after: what is claimed is on its way, and a reader waits
// for it.
Task<void> BlobCache::FlyAhead() {
  const auto next = [this] { return NextRunAhead(flights_ahead_ - 1); };
  const ChunkSpan likely = next();
  co_await shard_.ahead_bytes.Take(likely.empty() ? 0 : StoredBytes(*layout_, likely).length);
  co_await shard_.ahead_requests.Take(1);
  runtime::Buffer memory;
  try {
    memory = co_await shard_.background_buffers.Take(fetcher_.MemoryFor(OrderOf(next())));
  } catch (const Error& e) {
    if (e.code() == Errc::kStopped) throw;
    ahead_not_before_ = shard_.engine.Now() + shard_.limits.ahead_pause;
  }
  // Meanwhile others may have fetched, or claimed, what was worth fetching.
  FetchOrder order = OrderOf(next());
  while (!order.run.empty() && fetcher_.MemoryFor(order) > memory.size()) --order.run.end;
  if (!order.run.empty()) {
    map_.Claim(order.run);
    const std::vector<ChunkFailure> failures = co_await fetcher_.Fetch(order, std::move(memory));
    Settle(failures, order.wanted_end);
  }
  --flights_ahead_;
  FetchAhead();
}

void BlobCache::OnBytes(uint32_t position, ConstBytes plain) {
  if (!fetcher_.distance().is_near()) prompts_.OnBytes(position, plain);
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
  if (fetcher_.distance().in_flight() > 0) FetchAhead();

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
