// SPDX-License-Identifier: Apache-2.0
// What a miss brings along when the source is far.
#include <catch2/catch.hpp>

#include "cache_fixture.h"
#include "runtime/combine.h"
#include "runtime/scope.h"

namespace sluice::cache {
namespace {

using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;
using testing::CacheFixture;

constexpr uint64_t kAhead = 100 * kKiB;

// Every source is far, and whatever was measured, so much is worth fetching: behind a miss, as neighbours.
CacheLimits FarLimits(uint64_t ahead, uint64_t neighbours) {
  CacheLimits limits;
  limits.stream = {.near = Duration::zero(),
                   .ahead = 1e12,
                   .max_ahead = ahead,
                   .neighbours = 1e12,
                   .min_neighbours = 0,
                   .max_neighbours = neighbours,
                   .piece = {.plain_bytes = 40 * kKiB, .stored_bytes = 40 * kKiB},
                   .under_way = 1e12,
                   .under_way_in_order = 1e12,
                   .flights = neighbours > 0 ? 2u : 0u,
                   .neighbour_flights = neighbours > 0 ? 2u : 0u};
  return limits;
}

// Chunks that do not shrink, so that stored and plain sizes are much the same.
constexpr testing::TestBlobOptions kBlob{.chunks = 120, .min_size = 6 * kKiB, .max_size = 12 * kKiB};

// The first two answers tell how far the source is; chunks 118 and 119.
Task<void> LearnDistance(CacheFixture& fixture, BlobCache& cache) {
  co_await cache.Ensure(fixture.Plain(119));
  co_await cache.Ensure(fixture.Plain(118));
  fixture.backend.reads.clear();
  fixture.backend.streams.clear();
  fixture.backend.lanes.clear();
}

}  // namespace

TEST_CASE("behind a miss the response goes on, and the reader does not wait for it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, kBlob, FarLimits(kAhead, 0));
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    fixture.backend.hold_at = fixture.Stored(10).end();
    co_await cache->Ensure(fixture.Plain(10));  // would not end if it waited for more than its own bytes
    CHECK_FALSE(cache->TryHit(fixture.Plain(11)));
    REQUIRE(fixture.backend.streams.size() == 1);
    CHECK(fixture.backend.streams[0].offset == fixture.Stored(10).offset);
    CHECK(fixture.backend.streams[0].length > fixture.Stored(10).length);
    CHECK(fixture.backend.streams[0].length <= fixture.Stored(10).length + kAhead);
    CHECK(fixture.backend.lanes == std::vector{runtime::Lane::kDemand});
    CHECK(cache->stats().ahead_plain_bytes == 0);

    // A reader of what is on its way asks for nothing.
    runtime::Scope readers(env.engine(), "readers");
    readers.Spawn(cache->Ensure(fixture.Plain(12)));
    fixture.backend.held.Set();
    co_await readers.Join();
    CHECK(fixture.backend.reads.size() == 1);
    co_await fixture.ExpectData(cache->data_path(), 10, 13);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("what a miss brings along keeps to the rate of fetching ahead") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = FarLimits(kAhead, 0);
    limits.ahead_bytes_per_second = 10;
    CacheFixture fixture(env, kBlob, limits);
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    co_await cache->Ensure(fixture.Plain(10));
    CHECK(fixture.backend.reads == std::vector{fixture.Stored(10)});
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("from a near source a miss brings nothing along") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = FarLimits(kAhead, kAhead);
    limits.stream.near = std::chrono::hours(1);
    CacheFixture fixture(env, kBlob, limits);
    BlobLease cache = co_await fixture.Open();
    for (const uint32_t position : {119u, 118u, 10u, 50u}) co_await cache->Ensure(fixture.Plain(position));
    CHECK(fixture.backend.streams.empty());
    CHECK(fixture.backend.reads.size() == 4);
    CHECK(cache->stats().ahead_plain_bytes == 0);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a response that breaks behind what a reader wants is not the reader's business") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, kBlob, FarLimits(kAhead, 0));
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    fixture.backend.cut_at = fixture.Stored(10).end();
    co_await cache->Ensure(fixture.Plain(10));
    // What was on its way is given up, and fetched when it is asked for: nothing is brought along for a while.
    co_await cache->Ensure(fixture.Plain(12));
    CHECK(cache->stats().errors == 0);
    CHECK(fixture.backend.streams.size() == 1);
    co_await fixture.ExpectData(cache->data_path(), 10, 11);
    co_await fixture.ExpectData(cache->data_path(), 12, 13);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a chunk that a response brings along damaged is fetched again for its reader, the others are kept") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, kBlob, FarLimits(kAhead, 0));
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    fixture.backend.wrong_at = fixture.Stored(12).offset;
    fixture.backend.wrong_reads = 1;
    co_await cache->Ensure(fixture.Plain(10));
    co_await cache->Ensure({fixture.Plain(10).offset, fixture.Plain(14).end() - fixture.Plain(10).offset});
    CHECK(cache->stats().errors == 0);
    CHECK(fixture.backend.wrong_reads == 0);
    CHECK(fixture.backend.distrusted == 1);
    co_await fixture.ExpectData(cache->data_path(), 10, 15);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("while a reader waits, what lies around it comes, too; when nobody waits, nothing does") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, kBlob, FarLimits(0, 40 * kKiB));
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    fixture.backend.open.Reset();
    runtime::Scope readers(env.engine(), "readers");
    readers.Spawn(cache->Ensure(fixture.Plain(60)));
    // The reader's chunk, and one run for each flight ahead.
    REQUIRE(fixture.backend.reads.size() == 3);
    CHECK(fixture.backend.lanes == std::vector(2, runtime::Lane::kBackground));
    fixture.backend.open.Set();
    co_await readers.Join();
    co_await fixture.ExpectData(cache->data_path(), 60, 61);
    CHECK(cache->stats().errors == 0);
    // Those that were under way end; no others begin.
    const uint64_t most = fixture.Plain(60).length + 4 * 40 * kKiB;
    CHECK(cache->stats().fetched_plain_bytes <= most + fixture.Plain(118).length + fixture.Plain(119).length);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("what a file speaks of is fetched when the file is read, on the background lane") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = FarLimits(0, 0);
    limits.stream.flights = 2;
    CacheFixture fixture(env, kBlob, limits);
    // Chunks 10 and 90 are two forms of one module, whatever they hold.
    const image::NameKey key = image::ModuleKey("enum");
    const image::rafs::FileNames names{.names = {{.key = key, .folder = 1, .first = 90, .chunks = 1}},
                                       .modules = {{.key = key, .first = 10, .folder = 1, .parent = 0}}};
    fixture.layout = std::make_shared<BlobLayout>(fixture.blob.blob, image::rafs::BlobAdvice{{}, names});
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    co_await cache->Ensure(fixture.Plain(50));
    CHECK(fixture.backend.streams.empty());
    co_await cache->Ensure(fixture.Plain(10));
    CHECK(fixture.backend.streams == std::vector{fixture.Stored(90)});
    CHECK(fixture.backend.lanes == std::vector{runtime::Lane::kBackground});
    co_await cache->Ensure(fixture.Plain(90));
    CHECK(fixture.backend.reads.size() == 3);
    co_await fixture.ExpectData(cache->data_path(), 90, 91);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("no flight ahead begins while enough is under way") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = FarLimits(0, 40 * kKiB);
    limits.stream.under_way = 0;
    CacheFixture fixture(env, kBlob, limits);
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    co_await cache->Ensure(fixture.Plain(60));
    CHECK(fixture.backend.reads == std::vector{fixture.Stored(60)});
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("closing ends a response that still runs") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, kBlob, FarLimits(kAhead, 0));
    BlobLease cache = co_await fixture.Open();
    co_await LearnDistance(fixture, *cache);
    fixture.backend.hold_at = fixture.Stored(10).end();
    co_await cache->Ensure(fixture.Plain(10));
    co_await fixture.store.Release(std::move(cache));
    fixture.backend.held.Set();
    BlobLease again = co_await fixture.Open();
    CHECK(again->TryHit(fixture.Plain(10)));
    CHECK_FALSE(again->TryHit(fixture.Plain(12)));
    co_await again->Ensure({0, UINT64_MAX});
    co_await fixture.ExpectData(again->data_path(), 0, 120);
    co_await fixture.store.Release(std::move(again));
  });
}

TEST_CASE("readers all over a far blob get the right bytes, whatever comes along and breaks") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, kBlob, FarLimits(kAhead, 40 * kKiB));
    BlobLease cache = co_await fixture.Open();
    fixture.backend.cut_at = fixture.Stored(90).end();
    for (int round = 0; round < 20; ++round) {
      std::vector<Task<void>> readers;
      for (int reader = 0; reader < 4; ++reader)
        readers.push_back(cache->Ensure(fixture.Plain(static_cast<uint32_t>(env.rng().Below(120)))));
      co_await WhenAll(std::move(readers));
      CHECK(cache->stats().errors == 0);
    }
    co_await cache->Ensure({0, UINT64_MAX});
    CHECK(cache->complete());
    CHECK(cache->stats().fetched_plain_bytes == fixture.layout->chunk_bytes());
    co_await fixture.ExpectData(cache->data_path(), 0, 120);
    co_await fixture.store.Release(std::move(cache));
  });
}

}  // namespace sluice::cache
