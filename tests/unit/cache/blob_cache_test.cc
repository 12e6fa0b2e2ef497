// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_cache.h"

#include <catch2/catch.hpp>

#include "cache_fixture.h"
#include "runtime/combine.h"
#include "runtime/scope.h"

namespace sluice::cache {

using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;
using testing::CacheFixture;
using testing::ExpectError;

namespace {

// A demand that finds a flight in its last moment shares its end; the next one starts a flight of its own.
Task<void> EnsureAfterTimeout(BlobCache& cache, ByteRange plain) {
  // A busy machine may need more than the short limit of the test, too.
  for (int left = 50; left > 0; --left) {
    try {
      co_await cache.Ensure(plain);
      co_return;
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kTimeout);
    }
  }
  FAIL("nothing comes from a source that answers");
}

}  // namespace

TEST_CASE("a demand fetches the chunks that it covers and no others") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 12});
    BlobLease cache = co_await fixture.Open();
    const ByteRange demand{fixture.Plain(3).offset, fixture.Plain(5).end() - fixture.Plain(3).offset};
    CHECK_FALSE(cache->TryHit(demand));
    co_await cache->Ensure(demand);
    CHECK(cache->TryHit(demand));
    CHECK_FALSE(cache->TryHit(fixture.Plain(2)));
    CHECK_FALSE(cache->TryHit(fixture.Plain(6)));
    co_await fixture.ExpectData(cache->data_path(), 3, 6);
    CHECK(cache->ready_bytes() == fixture.Plain(3).length + fixture.Plain(4).length + fixture.Plain(5).length);
    // Adjacent chunks come with one read.
    REQUIRE(fixture.backend.reads.size() == 1);
    CHECK(fixture.backend.reads[0].offset == fixture.Stored(3).offset);
    CHECK(fixture.backend.reads[0].end() == fixture.Stored(5).end());
    CHECK(cache->stats().misses == 1);
    CHECK(cache->stats().hits == 1);
    CHECK(cache->stats().fetched_stored_bytes == fixture.backend.reads[0].length);
    CHECK(cache->stats().fetched_plain_bytes == cache->ready_bytes());
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("every compressor and chunk size comes out right") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        uint64_t seed = 20;
        for (const Compression compression : {Compression::kNone, Compression::kLz4Block, Compression::kZstd}) {
          for (const uint32_t max_size : {4096u, 300000u}) {
            CacheFixture fixture(env, {.chunks = 9, .max_size = max_size, .seed = ++seed, .compression = compression});
            BlobLease cache = co_await fixture.Open();
            co_await cache->Ensure({0, UINT64_MAX});
            CHECK(cache->complete());
            co_await fixture.ExpectData(cache->data_path(), 0, 9);
            co_await fixture.store.Release(std::move(cache));
          }
        }
      },
      2);
}

TEST_CASE("two readers of one chunk share one fetch") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 4});
    BlobLease cache = co_await fixture.Open();
    std::vector<Task<void>> readers;
    for (int i = 0; i < 5; ++i) readers.push_back(cache->Ensure(fixture.Plain(1)));
    co_await WhenAll(std::move(readers));
    CHECK(fixture.backend.reads.size() == 1);
    CHECK(cache->stats().misses == 5);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a reader waits for its own chunks only") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = testing::NearLimits();
    limits.demand.plain_bytes = 1;  // one chunk per run
    CacheFixture fixture(env, {.chunks = 4}, limits);
    BlobLease cache = co_await fixture.Open();
    runtime::Scope scope(env.engine(), "other reader");
    fixture.backend.open.Reset();
    scope.Spawn(cache->Ensure(fixture.Plain(0)));
    fixture.backend.open.Set();
    co_await cache->Ensure(fixture.Plain(3));
    CHECK(cache->TryHit(fixture.Plain(3)));
    co_await scope.Join();
    CHECK(cache->TryHit(fixture.Plain(0)));
    CHECK_FALSE(cache->TryHit(fixture.Plain(1)));
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a reader that leaves takes nothing from the reader who stays") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 4});
    BlobLease cache = co_await fixture.Open();
    fixture.backend.open.Reset();
    runtime::Scope leaving(env.engine(), "leaving");
    runtime::Scope staying(env.engine(), "staying");
    leaving.Spawn(cache->Ensure(fixture.Plain(1)));  // this one has started the flight
    staying.Spawn(cache->Ensure(fixture.Plain(1)));
    leaving.RequestStop();
    co_await leaving.Join();
    CHECK_FALSE(cache->TryHit(fixture.Plain(1)));
    fixture.backend.open.Set();
    co_await staying.Join();
    CHECK(cache->TryHit(fixture.Plain(1)));
    CHECK(fixture.backend.reads.size() == 1);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a chunk whose bytes are wrong is fetched again from a source that starts from scratch") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 6});
    BlobLease cache = co_await fixture.Open();
    fixture.backend.wrong_at = fixture.Stored(2).end() - 1;
    fixture.backend.wrong_reads = 2;
    co_await cache->Ensure({0, UINT64_MAX});
    CHECK(cache->complete());
    co_await fixture.ExpectData(cache->data_path(), 0, 6);
    CHECK(fixture.backend.distrusted == 2);
    CHECK(cache->stats().refetches == 2);
    // Only the bad chunk was read again.
    REQUIRE(fixture.backend.reads.size() == 3);
    CHECK(fixture.backend.reads[1] == fixture.Stored(2));
    CHECK(cache->stats().errors == 0);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a chunk that stays wrong is an error for its readers, named, and for nobody else") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 6});
    BlobLease cache = co_await fixture.Open();
    fixture.backend.wrong_at = fixture.Stored(4).offset;
    fixture.backend.wrong_reads = INT_MAX;
    std::string message;
    try {
      co_await cache->Ensure({0, UINT64_MAX});
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
      message = e.message();
    }
    CHECK_THAT(message, Catch::StartsWith("blob '" + fixture.layout->id().hex() + "', chunk 4: read from a fake: "));
    for (uint32_t position = 0; position < 6; ++position)
      CHECK(cache->TryHit(fixture.Plain(position)) == (position != 4));
    co_await fixture.ExpectData(cache->data_path(), 0, 4);
    co_await fixture.ExpectData(cache->data_path(), 5, 6);
    // The wrong bytes are not in the file.
    const bool wrong_bytes_arrived = co_await fixture.DataIsRight(cache->data_path(), 4, 5);
    CHECK_FALSE(wrong_bytes_arrived);
    CHECK(cache->stats().errors == 1);

    // Nothing sticks.
    fixture.backend.wrong_reads = 0;
    co_await cache->Ensure(fixture.Plain(4));
    CHECK(cache->complete());
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a blob that is cut short serves the chunks that it still has") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 8});
    BlobLease cache = co_await fixture.Open();
    fixture.backend.stored.resize(fixture.Stored(5).end() - 1);
    co_await ExpectError(Errc::kCorrupt, cache->Ensure({0, UINT64_MAX}));
    for (uint32_t position = 0; position < 8; ++position)
      CHECK(cache->TryHit(fixture.Plain(position)) == (position < 5));
    co_await fixture.ExpectData(cache->data_path(), 0, 5);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a missing blob is not asked for each of its chunks, and is served when it comes back") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 50, .max_size = 5000});
    BlobLease cache = co_await fixture.Open();
    fixture.backend.missing = true;
    co_await ExpectError(Errc::kNotFound, cache->Ensure({0, UINT64_MAX}));
    CHECK(fixture.backend.reads.size() == 3);
    fixture.backend.missing = false;
    co_await cache->Ensure({0, UINT64_MAX});
    CHECK(cache->complete());
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("what the first source cannot give comes from the second") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 3});
    testing::FakeBackend gone({});
    gone.missing = true;
    BlobLease first =
        co_await fixture.store.Acquire(fixture.layout, std::make_unique<testing::FakeSource>(env.engine(), gone));
    BlobLease second = co_await fixture.Open();
    co_await first->Ensure(fixture.Plain(0));
    CHECK(gone.reads.size() == 1);
    CHECK(fixture.backend.reads.size() == 1);
    // The one that served is asked first from now on.
    co_await first->Ensure(fixture.Plain(1));
    CHECK(gone.reads.size() == 1);
    co_await fixture.store.Release(std::move(first));
    co_await second->Ensure(fixture.Plain(2));
    co_await fixture.store.Release(std::move(second));
  });
}

TEST_CASE("a source that does not answer is an error in bounded time") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheLimits limits = testing::NearLimits();
    limits.fetch_timeout = std::chrono::milliseconds(100);
    CacheFixture fixture(env, {.chunks = 3}, limits);
    BlobLease cache = co_await fixture.Open();
    fixture.backend.open.Reset();
    co_await ExpectError(Errc::kTimeout, cache->Ensure(fixture.Plain(1)));
    co_await ExpectError(Errc::kTimeout, cache->Ensure(fixture.Plain(1)));
    fixture.backend.open.Set();
    co_await EnsureAfterTimeout(*cache, fixture.Plain(1));
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("a source that hangs does not keep the blob from being served by another") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        CacheLimits limits = testing::NearLimits();
        limits.fetch_timeout = std::chrono::milliseconds(100);
        CacheFixture fixture(env, {.chunks = 3}, limits);
        testing::FakeBackend hanging(fixture.blob.stored);
        hanging.open.Reset();
        BlobLease first = co_await fixture.store.Acquire(fixture.layout,
                                                         std::make_unique<testing::FakeSource>(env.engine(), hanging));
        BlobLease second = co_await fixture.Open();
        co_await ExpectError(Errc::kTimeout, first->Ensure(fixture.Plain(0)));
        co_await EnsureAfterTimeout(*first, fixture.Plain(0));
        co_await fixture.store.Release(std::move(first));
        co_await fixture.store.Release(std::move(second));
      },
      2);
}

TEST_CASE("a full disk is an error until there is space again") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.disk() == nullptr) co_return;  // the real engines have no disk that a test may fill
    CacheFixture fixture(env, {.chunks = 6});
    BlobLease cache = co_await fixture.Open();
    co_await cache->Ensure(fixture.Plain(0));
    env.disk()->SetCapacity(env.disk()->used());
    co_await ExpectError(Errc::kNoSpace, cache->Ensure({0, UINT64_MAX}));
    CHECK(cache->TryHit(fixture.Plain(0)));
    env.disk()->SetCapacity(UINT64_MAX);
    co_await cache->Ensure({0, UINT64_MAX});
    co_await fixture.ExpectData(cache->data_path(), 0, 6);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("without its data file a cache answers what is ready and fetches nothing") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 3});
    BlobLease cache = co_await fixture.Open();
    co_await cache->Ensure(fixture.Plain(1));
    co_await fixture.store.Release(std::move(cache));

    BlobLease bare = co_await fixture.store.Acquire(fixture.layout, fixture.NewSource());
    CHECK_FALSE(bare->has_data());
    CHECK(bare->TryHit(fixture.Plain(1)));
    co_await bare->Ensure(fixture.Plain(1));
    co_await ExpectError(Errc::kBusy, bare->Ensure(fixture.Plain(2)));
    co_await fixture.store.Release(std::move(bare));
  });
}

TEST_CASE("a cache without a map file begins with what it is told and keeps no record") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const testing::TestBlob blob = testing::MakeBlob({.chunks = 8});
    const auto layout = std::make_shared<const BlobLayout>(blob.blob);
    testing::FakeBackend backend(blob.stored);
    runtime::Offload offload(2);
    CacheShard shard(env.engine(), offload, {});
    ChunkSet found(8);
    found.Add(0);
    BlobCache cache(shard, layout, "object", std::nullopt, ChunkMap(8, std::move(found)));
    cache.AddSource(std::make_shared<testing::FakeSource>(env.engine(), backend));
    runtime::File file = co_await runtime::File::Open(env.engine(), env.Path("object"), O_RDWR | O_CREAT);
    cache.AttachData(std::move(file));
    const auto plain = [&](uint32_t position) {
      return ByteRange{layout->chunk(position).plain_offset, layout->chunk(position).plain_size};
    };
    CHECK(cache.TryHit(plain(0)));
    co_await cache.Ensure(plain(1));
    CHECK(cache.ready_bytes() == plain(0).length + plain(1).length);
    // The file says otherwise: both are fetched.
    cache.Forget({0, plain(1).end()});
    CHECK(cache.ready_bytes() == 0);
    CHECK_FALSE(cache.TryHit(plain(0)));
    co_await cache.Ensure({0, plain(1).end()});
    CHECK(cache.ready_bytes() == plain(0).length + plain(1).length);
    co_await cache.Checkpoint();
    co_await cache.Close();
    CHECK(cache.stats().checkpoint_errors == 0);
    const auto names = co_await runtime::ListDirectory(env.engine(), env.directory(), 10);
    CHECK(names == std::vector<std::string>{"object"});
  });
}

}  // namespace sluice::cache
