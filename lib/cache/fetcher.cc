// SPDX-License-Identifier: Apache-2.0
#include "cache/fetcher.h"

#include <optional>

#include "cache/run.h"
#include "runtime/combine.h"

namespace sluice::cache {

using runtime::Lane;
using runtime::Task;
using Failures = std::vector<ChunkFailure>;

struct Fetcher::Flight {
  ChunkSpan run;
  Lane lane;
  runtime::Buffer memory;     // for both forms of the run
  std::vector<bool> written;  // by position - run.first
};

namespace {

Failures FailAll(ChunkSpan run, const Error& error) {
  Failures failures;
  for (uint32_t position = run.first; position < run.end; ++position) failures.push_back({position, error});
  return failures;
}

// Whether other chunks of the same blob may do better: a blob that is cut or damaged still has good parts, a blob that
// is not there has none.
bool ConcernsOneChunk(const Error& error) { return error.code() == Errc::kCorrupt || error.code() == Errc::kIo; }

}  // namespace

uint64_t Fetcher::MemoryFor(ChunkSpan run) const {
  return run.empty() ? 0 : PlainBlocks(layout_, run).length + StoredBytes(layout_, run).length;
}

Task<Failures> Fetcher::Fetch(ChunkSpan run, Lane lane, runtime::Buffer memory) {
  Flight flight{run, lane, std::move(memory), std::vector<bool>(run.size())};
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

Task<Failures> Fetcher::FetchAll(Flight& flight) {
  // One buffer for both forms: a flight that waits for memory holds none.
  if (flight.memory.size() == 0) flight.memory = co_await shard_.demand_buffers.Take(MemoryFor(flight.run));
  Failures failures = co_await FetchOnce(flight, flight.run, flight.memory.bytes());
  if (flight.lane == Lane::kBackground) co_return failures;
  for (uint32_t round = 0; round < shard_.limits.refetches && !failures.empty(); ++round)
    failures = co_await FetchSingly(flight, std::move(failures), flight.memory.bytes());
  co_return failures;
}

Task<Failures> Fetcher::FetchSingly(Flight& flight, Failures failed, MutableBytes memory) {
  Failures failures;
  bool hopeless = false;
  for (ChunkFailure& failure : failed) {
    if (hopeless) {
      failures.push_back(std::move(failure));
      continue;
    }
    ++stats_.refetches;
    const ChunkSpan chunk{failure.position, failure.position + 1};
    Failures again = co_await FetchOnce(flight, chunk, memory);
    if (again.empty()) continue;
    hopeless = !ConcernsOneChunk(again.front().error);
    failures.push_back(std::move(again.front()));
  }
  co_return failures;
}

Task<Failures> Fetcher::FetchOnce(Flight& flight, ChunkSpan run, MutableBytes memory) {
  const ByteRange plain_range = PlainBlocks(layout_, run);
  const ByteRange stored_range = StoredBytes(layout_, run);
  // Plain bytes come first: what is written to the data file begins on a page.
  const MutableBytes plain = memory.first(plain_range.length);
  const MutableBytes stored = memory.subspan(plain_range.length, stored_range.length);

  const auto source = sources_.Current();
  if (source == nullptr) Throw(Errc::kNotFound, "the blob has no source");
  std::optional<Error> unread;
  try {
    co_await source->ReadAt(stored_range.offset, stored);
  } catch (const Error& e) {
    // Also when the deadline has stopped it: a source that hangs is not asked first again.
    sources_.MarkFailed(source);
    if (e.code() == Errc::kStopped) throw;
    unread = e;
  }
  if (unread) {
    unread->AddContext(NameOf(layout_, run));
    co_return FailAll(run, *unread);
  }
  stats_.stored_bytes += stored.size();

  Failures failures = co_await Decode(run, stored, plain, flight.lane);
  for (ChunkFailure& failure : failures) {
    failure.error.AddContext("read from " + source->Describe());
    failure.error.AddContext(NameOf(layout_, {failure.position, failure.position + 1}));
  }
  if (!failures.empty()) sources_.MarkFailed(source);
  co_await Write(flight, run, plain, failures);
  co_return failures;
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
      for (uint32_t position = good.first; position < good.end; ++position)
        flight.written[position - flight.run.first] = true;
      sink_.OnWritten(good, flight.lane);
    }
    good.first = good.end + 1;
  }
}

}  // namespace sluice::cache
