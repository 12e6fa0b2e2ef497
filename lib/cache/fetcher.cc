// SPDX-License-Identifier: Apache-2.0
#include "cache/fetcher.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "cache/run.h"
#include "runtime/combine.h"

namespace sluice::cache {

using runtime::Lane;
using runtime::Task;
using Failures = std::vector<ChunkFailure>;

struct Fetcher::Flight {
  FetchOrder order;
  runtime::Permit file_share;
  runtime::Buffer memory;     // for both forms of a piece
  std::vector<bool> written;  // by position - run.first
};

namespace {

Failures FailAll(ChunkSpan run, const Error& error) {
  Failures failures;
  for (uint32_t position = run.first; position < run.end; ++position) failures.push_back({position, error});
  return failures;
}

// Adds what one answer has still to bring to what all of them have.
class UnderWay {
 public:
  UnderWay(uint64_t& all, uint64_t bytes) noexcept : all_(all), rest_(bytes) { all_ += bytes; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  ~UnderWay() { all_ -= rest_; }
  void OnArrived(uint64_t bytes) noexcept {
    all_ -= bytes;
    rest_ -= bytes;
  }

 private:
  uint64_t& all_;
  uint64_t rest_;
};

// Whether other chunks of the same blob may do better: a blob that is cut or damaged still has good parts, a blob that
// is not there has none.
bool ConcernsOneChunk(const Error& error) { return error.code() == Errc::kCorrupt || error.code() == Errc::kIo; }

}  // namespace

Lane Fetcher::LaneOf(const Flight& flight, ChunkSpan chunks) noexcept {
  return chunks.first < flight.order.wanted_end ? Lane::kDemand : Lane::kBackground;
}

void Fetcher::AddSource(std::shared_ptr<backend::BlobSource> source) {
  if (source->is_remote()) distance_.ExpectRemote();
  sources_.Add(std::move(source));
}

uint64_t Fetcher::MemoryFor(const FetchOrder& order) const {
  uint64_t most = 0;
  uint64_t at = order.run.empty() ? 0 : StoredBytes(layout_, order.run).offset;
  for (ChunkSpan piece{order.run.first, order.run.first}; piece.end < order.run.end;) {
    piece = PieceAt(layout_, order.run, piece.end, order.wanted_end, order.piece);
    const uint64_t end = StoredBytes(layout_, piece).end();
    most = std::max(most, PlainBlocks(layout_, piece).length + end - at);
    at = end;
  }
  return most;
}

Task<Failures> Fetcher::Fetch(FetchOrder order, runtime::Buffer memory) {
  const ChunkSpan run = order.run;
  Flight flight{order, {}, std::move(memory), std::vector<bool>(run.size())};
  std::optional<Error> error;
  try {
    co_return co_await WithTimeout(shard_.engine, shard_.limits.fetch_timeout, FetchAll(flight));
  } catch (const Error& e) {
    error = e;
  } catch (const std::bad_alloc&) {
    error.emplace(Errc::kLimit, "out of memory");
  }
  error->AddContext(NameOf(layout_, run));
  Failures failures;
  for (uint32_t position = run.first; position < run.end; ++position)
    if (!flight.written[position - run.first]) failures.push_back({position, *error});
  co_return failures;
}

Task<void> Fetcher::OpenFile(backend::BlobSource& source) {
  try {
    co_await source.OpenFile();
  } catch (const Error& e) {
    if (e.code() == Errc::kStopped) throw;
    // Reading it will say the same.
  }
}

Task<Failures> Fetcher::FetchAll(Flight& flight) {
  // Before the memory: what hangs while a file is being opened, or waits for a file system, holds none.
  const auto source = sources_.Current();
  if (source != nullptr && data_->writers() != nullptr) {
    if (source->file() == nullptr) co_await OpenFile(*source);
    if (const auto file = source->file(); file != nullptr) {
      const Lane lane = LaneOf(flight, flight.order.run);
      flight.file_share = co_await shard_.file_shares.Take(file->file_system(), lane, MemoryFor(flight.order));
    }
  }
  // One buffer for both forms: a flight that waits for memory holds none.
  if (flight.memory.size() == 0) flight.memory = co_await shard_.demand_buffers.Take(MemoryFor(flight.order));
  Failures failures = co_await FetchOnce(flight, flight.order.run);
  for (uint32_t round = 0; round < shard_.limits.refetches && !failures.empty(); ++round)
    failures = co_await FetchSingly(flight, std::move(failures));
  co_return failures;
}

Task<Failures> Fetcher::FetchSingly(Flight& flight, Failures failed) {
  Failures failures;
  bool hopeless = false;
  for (ChunkFailure& failure : failed) {
    if (hopeless || failure.position >= flight.order.wanted_end) {
      failures.push_back(std::move(failure));
      continue;
    }
    ++stats_.refetches;
    const ChunkSpan chunk{failure.position, failure.position + 1};
    Failures again = co_await FetchOnce(flight, chunk);
    if (again.empty()) continue;
    hopeless = !ConcernsOneChunk(again.front().error);
    failures.push_back(std::move(again.front()));
  }
  co_return failures;
}

Task<Failures> Fetcher::FetchOnce(Flight& flight, ChunkSpan run) {
  const FetchOrder& order = flight.order;
  const auto source = sources_.Current();
  if (source == nullptr) Throw(Errc::kNotFound, "the blob has no source");
  const ByteRange all = StoredBytes(layout_, run);
  std::unique_ptr<backend::BlobStream> stream;
  const Lane lane = LaneOf(flight, run);
  const bool in_one_piece = PieceAt(layout_, run, run.first, order.wanted_end, order.piece) == run;
  if (in_one_piece) {
    const bool done = co_await FetchAtOnce(flight, run, source->file());
    if (done) co_return Failures();
  }
  if (lane == Lane::kBackground || !in_one_piece) stream = source->OpenStream(all.offset, all.length, lane);

  Failures failures;
  UnderWay under_way(under_way_, all.length);
  const TimePoint asked = shard_.engine.Now();
  uint64_t at = all.offset;  // what is stored before has come
  for (ChunkSpan piece{run.first, run.first}; piece.end < run.end;) {
    piece = PieceAt(layout_, run, piece.end, order.wanted_end, order.piece);
    // Plain bytes come first: what is written to the data file begins on a page.  A gap comes before the stored ones.
    const MutableBytes plain = flight.memory.bytes().first(PlainBlocks(layout_, piece).length);
    const ByteRange stored = StoredBytes(layout_, piece);
    const MutableBytes incoming = flight.memory.bytes().subspan(plain.size(), stored.end() - at);
    std::optional<Error> unread;
    try {
      if (stream != nullptr) {
        co_await stream->Read(incoming);
      } else {
        co_await source->ReadAt(at, incoming);
      }
    } catch (const Error& e) {
      // Also when the deadline has stopped it: a source that hangs is not asked first again.
      sources_.MarkFailed(source);
      if (e.code() == Errc::kStopped) throw;
      unread = e;
    }
    if (unread) {
      const ChunkSpan rest{piece.first, run.end};
      unread->AddContext(NameOf(layout_, rest));
      for (ChunkFailure& failure : FailAll(rest, *unread)) failures.push_back(std::move(failure));
      co_return failures;
    }
    at = stored.end();
    under_way.OnArrived(incoming.size());
    stats_.stored_bytes += incoming.size();
    const Duration took = shard_.engine.Now() - asked;
    if (piece.first == run.first) {
      distance_.OnAnswer(incoming.size(), took);
    } else if (piece.end == run.end) {
      distance_.OnTransfer(all.length, took);
    }
    Failures bad = co_await Keep(flight, piece, incoming.last(stored.length), plain, source);
    for (ChunkFailure& failure : bad) failures.push_back(std::move(failure));
  }
  co_return failures;
}

// From a file of this machine into one that is written by threads: one of these does everything, without a word to the
// shard in between.  False: something is wrong, and the ordinary way will say what.
Task<bool> Fetcher::FetchAtOnce(Flight& flight, ChunkSpan run, std::shared_ptr<const backend::BlobFile> file) {
  runtime::Offload* const writers = data_->writers();
  if (file == nullptr || writers == nullptr) co_return false;
  const ByteRange from = StoredBytes(layout_, run);
  const ByteRange to = PlainBlocks(layout_, run);
  const MutableBytes plain = flight.memory.bytes().first(to.length);
  const MutableBytes stored = flight.memory.bytes().subspan(to.length, from.length);
  const uint64_t losses = data_losses_;
  auto decoder = shard_.decoders.Take();
  auto job = [&, run]() -> std::optional<Duration> {
    const TimePoint asked = shard_.engine.Now();
    if (!file->TryRead(from.offset, PlacesOf(layout_, run, stored, plain))) return std::nullopt;
    const Duration took = shard_.engine.Now() - asked;
    if (!DecodeRun(layout_, run, stored, plain, *decoder, Uncompressed::kInPlace).empty()) return std::nullopt;
    if (!data_->TryWrite(plain, to.offset)) return std::nullopt;
    return took;
  };
  const auto read_time = co_await writers->Run(shard_.engine, std::move(job), LaneOf(flight, run));
  shard_.decoders.Give(std::move(decoder));
  if (!read_time || losses != data_losses_) co_return false;
  stats_.stored_bytes += from.length;
  distance_.OnAnswer(from.length, *read_time);
  OnWritten(flight, run);
  co_return true;
}

void Fetcher::OnWritten(Flight& flight, ChunkSpan chunks) {
  for (uint32_t position = chunks.first; position < chunks.end; ++position)
    flight.written[position - flight.order.run.first] = true;
  sink_.OnWritten(chunks, LaneOf(flight, chunks));
}

Task<Failures> Fetcher::Keep(Flight& flight, ChunkSpan piece, ConstBytes stored, MutableBytes plain,
                             std::shared_ptr<backend::BlobSource> source) {
  Failures failures = co_await Decode(piece, stored, plain, LaneOf(flight, piece));
  for (ChunkFailure& failure : failures) {
    failure.error.AddContext("read from " + source->Describe());
    failure.error.AddContext(NameOf(layout_, {failure.position, failure.position + 1}));
  }
  if (!failures.empty()) sources_.MarkFailed(source);
  Show(piece, plain, failures);
  co_await Write(flight, piece, plain, failures);
  co_return failures;
}

void Fetcher::Show(ChunkSpan piece, ConstBytes plain, const Failures& without) {
  auto failure = without.begin();
  for (uint32_t position = piece.first; position < piece.end; ++position) {
    if (failure != without.end() && failure->position == position) {
      ++failure;
      continue;
    }
    const LayoutChunk& chunk = layout_.chunk(position);
    const uint64_t at = chunk.plain_offset - layout_.chunk(piece.first).plain_offset;
    sink_.OnBytes(position, plain.subspan(at, chunk.plain_size));
  }
}

Task<Failures> Fetcher::Decode(ChunkSpan run, ConstBytes stored, MutableBytes plain, Lane lane) {
  auto decoder = shard_.decoders.Take();
  Failures failures;
  if (lane == Lane::kDemand && plain.size() <= shard_.limits.inline_bytes) {
    failures = DecodeRun(layout_, run, stored, plain, *decoder);
  } else {
    auto job = [&layout = layout_, run, stored, plain, &decoder = *decoder] {
      return DecodeRun(layout, run, stored, plain, decoder);
    };
    failures = co_await shard_.offload.Run(shard_.engine, std::move(job), lane);
  }
  shard_.decoders.Give(std::move(decoder));
  co_return failures;
}

Task<void> Fetcher::Write(Flight& flight, ChunkSpan run, ConstBytes plain, const Failures& without) {
  const uint64_t plain_begin = layout_.chunk(run.first).plain_offset;
  ChunkSpan good{run.first, run.first};
  for (size_t i = 0; i <= without.size(); ++i) {
    good.end = i < without.size() ? without[i].position : run.end;
    if (!good.empty()) {
      const ByteRange blocks = PlainBlocks(layout_, good);
      const uint64_t losses = data_losses_;
      co_await data_->WriteAll(plain.subspan(blocks.offset - plain_begin, blocks.length), blocks.offset);
      if (losses != data_losses_) Throw(Errc::kIo, "syncing '{}' failed during the write", data_->name());
      OnWritten(flight, good);
    }
    good.first = good.end + 1;
  }
}

}  // namespace sluice::cache
