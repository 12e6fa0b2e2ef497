// SPDX-License-Identifier: Apache-2.0
// Fetching ahead of readers, and what the door is told.
#include <algorithm>
#include <catch2/catch.hpp>

#include "cache_fixture.h"
#include "runtime/combine.h"
#include "runtime/event.h"

namespace sluice::cache {
namespace {

using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;
using testing::CacheFixture;

class Door final : public BlobObserver {
 public:
  void OnComplete(BlobCache&) noexcept override { complete.Set(); }
  void OnIncomplete(BlobCache&, const Error&) noexcept override { ++lost; }
  runtime::Event complete;
  int lost = 0;
};

// Small numbers: a reader is followed after some 50 KiB.
CacheLimits SmallLimits() {
  CacheLimits limits = testing::NearLimits();
  limits.read_ahead = {.ramp = 64 * kKiB,
                       .max_window = 16 * kMiB,
                       .step = 32 * kKiB,
                       .forward_slack = 64 * kKiB,
                       .backward_slack = 64 * kKiB};
  limits.background = {.plain_bytes = 64 * kKiB, .stored_bytes = 64 * kKiB, .stored_gap = 4096};
  return limits;
}

}  // namespace

TEST_CASE("a reader in order has the rest fetched for it, and the door is told when all is there") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 120}, SmallLimits());
    BlobLease cache = co_await fixture.Open();
    Door door;
    cache->SetObserver(&door);
    uint32_t position = 0;
    while (!cache->complete() && position < 60) {
      if (!cache->TryHit(fixture.Plain(position))) co_await cache->Ensure(fixture.Plain(position));
      ++position;
    }
    co_await WithTimeout(env.engine(), std::chrono::seconds(60), door.complete.Wait());
    CHECK(cache->complete());
    CHECK(cache->ready_bytes() == fixture.layout->chunk_bytes());
    co_await fixture.ExpectData(cache->data_path(), 0, 120);
    const BlobStats stats = cache->stats();
    CHECK(stats.ahead_plain_bytes > fixture.layout->chunk_bytes() / 3);
    CHECK(stats.fetched_plain_bytes == fixture.layout->chunk_bytes());
    CHECK(stats.fetched_stored_bytes == fixture.layout->stored_size());  // nothing was fetched twice
    // Ahead goes in large runs: far fewer reads than chunks.
    CHECK(fixture.backend.reads.size() < 60 + 120 / 3);
    cache->SetObserver(nullptr);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a failure ahead of the reader is not the reader's") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 60}, SmallLimits());
    BlobLease cache = co_await fixture.Open();
    fixture.backend.wrong_at = fixture.Stored(40).offset;
    fixture.backend.wrong_reads = 2;  // ahead, then once more for the reader
    for (uint32_t position = 0; position < 60; ++position) co_await cache->Ensure(fixture.Plain(position));
    CHECK(cache->complete());
    co_await fixture.ExpectData(cache->data_path(), 0, 60);
    CHECK(cache->stats().errors == 0);
    CHECK(fixture.backend.wrong_reads == 0);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("what still waits for memory to be fetched ahead keeps no reader waiting") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = SmallLimits();
    limits.background_buffers = 1;  // one flight ahead at a time, the next one waits
    CacheFixture fixture(env, {.chunks = 120}, limits);
    BlobLease cache = co_await fixture.Open();
    uint32_t position = 0;
    while (cache->stats().ahead_plain_bytes == 0 && position < 60) {
      co_await cache->Ensure(fixture.Plain(position));
      ++position;
    }
    fixture.backend.open.Reset();  // from here on the source answers nobody
    while (cache->TryHit(fixture.Plain(position))) ++position;
    runtime::Scope readers(env.engine(), "readers");
    const uint32_t end = std::min(position + 20, 120u);
    for (uint32_t wanted = position; wanted < end; ++wanted) readers.Spawn(cache->Ensure(fixture.Plain(wanted)));
    for (uint32_t wanted = position; wanted < end; ++wanted) {
      const bool asked = std::any_of(fixture.backend.reads.begin(), fixture.backend.reads.end(),
                                     [&](const ByteRange& read) { return read.Contains(fixture.Stored(wanted)); });
      CHECK(asked);
    }
    fixture.backend.open.Set();
    co_await readers.Join();
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("what is fetched ahead keeps to its rate, what a reader waits for does not") {
  test::RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        CacheLimits limits = SmallLimits();
        limits.ahead_bytes_per_second = 32 * kKiB;
        CacheFixture fixture(env, {.chunks = 240}, limits);
        BlobLease cache = co_await fixture.Open();
        const TimePoint start = env.engine().Now();
        for (uint32_t position = 0; position < 40; ++position) co_await cache->Ensure(fixture.Plain(position));
        CHECK(env.engine().Now() - start < std::chrono::seconds(2));
        const uint64_t before = cache->stats().fetched_stored_bytes;
        co_await runtime::Sleep(env.engine(), std::chrono::seconds(4));
        const uint64_t ahead = cache->stats().fetched_stored_bytes - before;
        // A second's worth was saved up, and a run may end behind its tokens.
        CHECK(ahead > 2 * limits.ahead_bytes_per_second);
        CHECK(ahead < 5 * limits.ahead_bytes_per_second + 2 * limits.background.stored_bytes);
        CHECK_FALSE(cache->complete());
        co_await fixture.store.Release(std::move(cache));
      },
      8);
}

TEST_CASE("closing ends what is fetched ahead") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 60}, SmallLimits());
    BlobLease cache = co_await fixture.Open();
    uint32_t position = 0;
    while (cache->stats().ahead_plain_bytes == 0 && position < 60) {
      co_await cache->Ensure(fixture.Plain(position));
      ++position;
    }
    fixture.backend.open.Reset();  // from here on the source answers nobody
    co_await fixture.store.Release(std::move(cache));
    fixture.backend.open.Set();
    BlobLease again = co_await fixture.Open();
    co_await again->Ensure({0, UINT64_MAX});
    co_await fixture.ExpectData(again->data_path(), 0, 60);
    co_await fixture.store.Release(std::move(again));
  });
}

TEST_CASE("when syncing the data file fails, what was not on record is missing again and the door is told") {
  test::RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        CacheFixture fixture(env, {.chunks = 6});
        BlobLease cache = co_await fixture.Open();
        Door door;
        cache->SetObserver(&door);
        co_await cache->Ensure(fixture.Plain(0));
        co_await cache->Checkpoint();
        co_await cache->Ensure({0, UINT64_MAX});
        REQUIRE(cache->complete());

        runtime::SimFaults faults;
        faults.sync_error = 100;
        env.simulator()->SetFaults(faults);
        co_await testing::ExpectError(Errc::kIo, cache->Checkpoint());
        env.simulator()->SetFaults(runtime::SimFaults{});
        CHECK(door.lost == 1);
        CHECK(cache->TryHit(fixture.Plain(0)));
        CHECK_FALSE(cache->TryHit(fixture.Plain(1)));
        CHECK(cache->ready_bytes() == fixture.Plain(0).length);
        co_await cache->Ensure({0, UINT64_MAX});
        CHECK(cache->complete());
        cache->SetObserver(nullptr);
        co_await fixture.store.Release(std::move(cache));
      },
      8);
}

TEST_CASE("a chunk that is being written when a sync fails does not become ready") {
  uint64_t failed_writes = 0;
  test::RunOnSimulator(
      [&](TestEnv& env) -> Task<void> {
        CacheFixture fixture(env, {.chunks = 30});
        BlobLease cache = co_await fixture.Open();
        runtime::SimFaults faults;
        faults.sync_error = 100;
        env.simulator()->SetFaults(faults);
        bool reading = true;
        const auto read = [&]() -> Task<void> {
          for (uint32_t position = 1; position < 30; ++position) {
            try {
              co_await cache->Ensure(fixture.Plain(position));
            } catch (const Error& e) {
              CHECK(e.code() == Errc::kIo);
              ++failed_writes;
            }
          }
          reading = false;
        };
        const auto lose = [&]() -> Task<void> {
          while (reading) {
            try {
              co_await cache->Ensure(fixture.Plain(0));
              co_await cache->Checkpoint();
            } catch (const Error& e) {
              CHECK(e.code() == Errc::kIo);
            }
          }
        };
        std::vector<Task<void>> both;
        both.push_back(read());
        both.push_back(lose());
        co_await WhenAll(std::move(both));
        env.simulator()->SetFaults(runtime::SimFaults{});
        co_await cache->Ensure({0, UINT64_MAX});
        co_await fixture.ExpectData(cache->data_path(), 0, 30);
        co_await fixture.store.Release(std::move(cache));
      },
      8);
  CHECK(failed_writes > 0);
}

TEST_CASE("what is ready gets on record by itself after a while") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = testing::NearLimits();
    limits.checkpoint_interval = std::chrono::hours(1);
    limits.checkpoint_bytes = 1;  // the first chunk makes a checkpoint due
    CacheFixture fixture(env, {.chunks = 3}, limits);
    BlobLease cache = co_await fixture.Open();
    const auto map_of = [&]() -> Task<std::vector<std::byte>> {
      runtime::File map = co_await runtime::File::Open(env.engine(),
                                                       env.directory() + "/blobs/" + fixture.layout->id().hex() + "-" +
                                                           fixture.layout->digest().Hex().substr(0, 16) + "/map",
                                                       O_RDONLY);
      std::vector<std::byte> bytes(MapFileSize(3));
      co_await map.ReadExactly(bytes, 0);
      co_return bytes;
    };
    const auto empty = co_await map_of();
    co_await cache->Ensure(fixture.Plain(1));
    auto bytes = co_await map_of();
    for (int i = 0; i < 100000 && bytes == empty; ++i) bytes = co_await map_of();
    CHECK(bytes != empty);
    co_await fixture.store.Release(std::move(cache));
  });
}

}  // namespace sluice::cache
