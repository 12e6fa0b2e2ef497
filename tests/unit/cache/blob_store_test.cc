// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_store.h"

#include <catch2/catch.hpp>

#include "cache_fixture.h"

namespace sluice::cache {
namespace {

using runtime::File;
using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;
using testing::CacheFixture;

Task<void> Overwrite(TestEnv& env, std::string path, uint64_t offset, std::vector<std::byte> bytes) {
  File file = co_await File::Open(env.engine(), std::move(path), O_RDWR | O_CREAT);
  co_await file.WriteAll(bytes, offset);
}

Task<uint64_t> SizeOf(TestEnv& env, std::string path) {
  File file = co_await File::Open(env.engine(), std::move(path), O_RDONLY);
  co_return co_await file.Size();
}

std::string DirectoryOf(const BlobLease& cache) {
  return cache->data_path().substr(0, cache->data_path().size() - std::string("/data").size());
}

}  // namespace

TEST_CASE("a new cache has an empty data file of full size under a name made of id and layout") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 3});
    BlobLease cache = co_await fixture.store.Acquire(fixture.layout, fixture.NewSource());
    CHECK(cache->data_path() == env.directory() + "/blobs/" + fixture.layout->id().hex() + "-" +
                                    fixture.layout->digest().Hex().substr(0, 16) + "/data");
    const uint64_t size = co_await SizeOf(env, cache->data_path());
    CHECK(size == fixture.layout->plain_size());
    CHECK(cache->ready_bytes() == 0);
    co_await fixture.store.Release(std::move(cache));
  });
}

TEST_CASE("what was ready is ready when the cache is opened again") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 9});
    {
      BlobLease cache = co_await fixture.Open();
      co_await cache->Ensure(fixture.Plain(2));
      co_await cache->Ensure(fixture.Plain(7));
      co_await fixture.store.Release(std::move(cache));
    }
    BlobLease cache = co_await fixture.Open();
    for (uint32_t position = 0; position < 9; ++position)
      CHECK(cache->TryHit(fixture.Plain(position)) == (position == 2 || position == 7));
    CHECK(cache->ready_bytes() == fixture.Plain(2).length + fixture.Plain(7).length);
    co_await cache->Ensure({0, UINT64_MAX});
    co_await fixture.store.Release(std::move(cache));

    BlobLease complete = co_await fixture.Open();
    CHECK(complete->complete());
    CHECK(fixture.backend.reads.size() == 5);
    co_await fixture.store.Release(std::move(complete));
  });
}

TEST_CASE("leases of one layout share a cache; another layout of the same blob has its own") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 5});
    image::rafs::Blob lying = fixture.blob.blob;
    lying.chunks[1].digest.bytes[0] ^= std::byte{1};
    const auto other_layout = std::make_shared<const BlobLayout>(lying);

    BlobLease first = co_await fixture.Open();
    BlobLease second = co_await fixture.Open();
    BlobLease other = co_await fixture.store.Acquire(other_layout, fixture.NewSource());
    CHECK(&*first == &*second);
    CHECK(&*first != &*other);
    CHECK(first->data_path() != other->data_path());
    uint64_t leases = 0;
    fixture.store.ForEach([&](const BlobCache&, uint64_t count) { leases = leases * 10 + count; });
    CHECK((leases == 12 || leases == 21));

    co_await first->Ensure(fixture.Plain(1));
    CHECK_FALSE(other->TryHit(fixture.Plain(1)));
    co_await fixture.store.Release(std::move(first));
    co_await fixture.store.Release(std::move(other));
    CHECK(second->TryHit(fixture.Plain(1)));
    co_await second->Ensure(fixture.Plain(2));
    co_await fixture.store.Release(std::move(second));
  });
}

TEST_CASE("a lease is given back, and what is ready put on record, also by a task that is to stop") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    CacheFixture fixture(env, {.chunks = 3});
    BlobLease cache = co_await fixture.Open();
    co_await cache->Ensure(fixture.Plain(1));
    runtime::Scope scope(env.engine(), "stopped");
    scope.RequestStop();
    scope.Spawn(fixture.store.Release(std::move(cache)));
    co_await scope.Join();
    BlobLease again = co_await fixture.Open();
    CHECK(again->TryHit(fixture.Plain(1)));
    co_await fixture.store.Release(std::move(again));
  });
}

TEST_CASE("a cache that is damaged on disk starts from nothing, in the same data file") {
  struct Damage {
    const char* what;
    std::function<Task<void>(TestEnv&, std::string)> apply;
  };
  const Damage damages[] = {
      {"no map", [](TestEnv& env, std::string d) { return Unlink(env.engine(), d + "/map"); }},
      {"no data", [](TestEnv& env, std::string d) { return Unlink(env.engine(), d + "/data"); }},
      {"map header damaged",
       [](TestEnv& env, std::string d) { return Overwrite(env, d + "/map", 100, {std::byte{7}}); }},
      {"map page damaged",
       [](TestEnv& env, std::string d) { return Overwrite(env, d + "/map", 4096, {std::byte{0xFF}}); }},
      {"data too long",
       [](TestEnv& env, std::string d) { return Overwrite(env, d + "/data", 1 << 20, {std::byte{1}}); }},
      {"left over from a crash",
       [](TestEnv& env, std::string d) -> Task<void> {
         std::vector<std::byte> half(10);
         co_await Overwrite(env, d + "/map.new", 0, std::move(half));
         co_await Unlink(env.engine(), d + "/map");
       }},
  };
  for (const Damage& damage : damages) {
    INFO(damage.what);
    RunOnEngines(
        [&damage](TestEnv& env) -> Task<void> {
          CacheFixture fixture(env, {.chunks = 5});
          BlobLease cache = co_await fixture.Open();
          const std::string directory = DirectoryOf(cache);
          co_await cache->Ensure({0, UINT64_MAX});
          co_await fixture.store.Release(std::move(cache));
          co_await damage.apply(env, directory);

          BlobLease again = co_await fixture.Open();
          CHECK(again->ready_bytes() == 0);
          const uint64_t size = co_await SizeOf(env, again->data_path());
          CHECK(size == fixture.layout->plain_size());
          co_await again->Ensure({0, UINT64_MAX});
          co_await fixture.ExpectData(again->data_path(), 0, 5);
          co_await fixture.store.Release(std::move(again));
          BlobLease third = co_await fixture.Open();
          CHECK(third->complete());
          co_await fixture.store.Release(std::move(third));
        },
        2);
  }
}

}  // namespace sluice::cache
