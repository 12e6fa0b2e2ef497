// SPDX-License-Identifier: Apache-2.0
// The promise of the cache: whatever the moment of a crash, a chunk that the map calls ready afterwards has the right
// bytes in the data file.
#include <catch2/catch.hpp>

#include "runtime/sim_disk.h"
#include "runtime/sim_engine.h"
#include "unit/cache/cache_fixture.h"

namespace sluice::cache {
namespace {

using runtime::SimDisk;
using runtime::SimEngine;
using runtime::Task;
using test::TestEnv;
using testing::CacheFixture;

CacheLimits SmallLimits() {
  CacheLimits limits = testing::NearLimits();
  limits.demand = {.plain_bytes = 32 * kKiB, .stored_bytes = 32 * kKiB, .stored_gap = 4096};
  limits.background = limits.demand;
  limits.read_ahead = {.ramp = 64 * kKiB,
                       .max_window = 1 * kMiB,
                       .step = 32 * kKiB,
                       .forward_slack = 64 * kKiB,
                       .backward_slack = 64 * kKiB};
  limits.checkpoint_interval = std::chrono::milliseconds(3);
  return limits;
}

constexpr uint32_t kChunks = 24;

void MakeRoot(SimDisk& disk) {
  REQUIRE(disk.MakeDirectory("/cache") == 0);
  disk.Put("/beside", {});  // syncs the directory that both are in
}

// Each chunk that is said to be ready has the right bytes.
Task<void> CheckReadyChunks(CacheFixture& fixture, BlobCache& cache) {
  for (uint32_t position = 0; position < kChunks; ++position) {
    if (!cache.TryHit(fixture.Plain(position))) continue;
    const bool right = co_await fixture.DataIsRight(cache.data_path(), position, position + 1);
    CHECK(right);
  }
}

// Opens the cache, checks it, uses it for a while.  Everything fails from the moment of the crash on.
Task<void> Use(CacheFixture& fixture, TestEnv& env) {
  BlobLease cache = co_await fixture.Open();
  std::exception_ptr error;
  try {
    co_await CheckReadyChunks(fixture, *cache);
    for (int step = 0; step < 8; ++step) {
      const auto first = static_cast<uint32_t>(env.rng().Below(kChunks));
      const auto last = static_cast<uint32_t>(first + env.rng().Below(std::min(kChunks - first, 6u)));
      co_await cache->Ensure({fixture.Plain(first).offset, fixture.Plain(last).end() - fixture.Plain(first).offset});
      if (env.rng().Chance(25)) co_await cache->Checkpoint();
    }
  } catch (const Error&) {
    error = std::current_exception();
  }
  co_await fixture.store.Release(std::move(cache));
  if (error) std::rethrow_exception(error);
}

// One life of the daemon, up to a power cut after `changes` more changes of the disk.  False: it ended before.
bool LiveUntilCrash(SimDisk& disk, uint64_t seed, uint64_t changes) {
  bool crashed = false;
  {
    SimEngine engine(disk, seed);
    TestEnv env(engine, "/cache", seed, &disk, &engine);
    CacheFixture fixture(env, {.chunks = kChunks}, SmallLimits());
    disk.FreezeAfter(changes);
    try {
      for (int session = 0; session < 2; ++session) engine.Run(Use(fixture, env));
    } catch (const Error& e) {
      INFO(e.message());
      CHECK(disk.frozen());
    }
    crashed = disk.frozen();
  }
  disk.FreezeAfter(UINT64_MAX);
  Rng rng(seed);
  disk.Crash(rng);
  return crashed;
}

// The next life finds nothing wrong and can complete the blob.
void CheckAfterCrash(SimDisk& disk, uint64_t seed) {
  SimEngine engine(disk, seed);
  TestEnv env(engine, "/cache", seed, &disk, &engine);
  CacheFixture fixture(env, {.chunks = kChunks}, SmallLimits());
  engine.Run([](CacheFixture& f) -> Task<void> {
    BlobLease cache = co_await f.Open();
    co_await CheckReadyChunks(f, *cache);
    co_await cache->Ensure({0, UINT64_MAX});
    const bool right = co_await f.DataIsRight(cache->data_path(), 0, kChunks);
    CHECK(right);
    co_await f.store.Release(std::move(cache));
  }(fixture));
}

}  // namespace

TEST_CASE("after a crash at any point every chunk that is called ready has the right bytes") {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    uint64_t changes = 0;
    for (bool crashed = true; crashed; ++changes) {
      CAPTURE(seed, changes);
      SimDisk disk;
      MakeRoot(disk);
      crashed = LiveUntilCrash(disk, seed, changes);
      // A second crash, in the life that repairs what the first one left.
      LiveUntilCrash(disk, seed + 1000, Rng(seed * 1000 + changes).Below(60));
      CheckAfterCrash(disk, seed + 2000);
    }
    CHECK(changes > 40);  // or the crashes have missed the point
  }
}

TEST_CASE("after a crash what was on record is still ready") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    SimDisk disk;
    MakeRoot(disk);
    {
      SimEngine engine(disk, seed);
      TestEnv env(engine, "/cache", seed, &disk, &engine);
      CacheFixture fixture(env, {.chunks = kChunks}, SmallLimits());
      engine.Run([](CacheFixture& f, SimDisk& d) -> Task<void> {
        BlobLease cache = co_await f.Open();
        co_await cache->Ensure(f.Plain(3));
        co_await cache->Checkpoint();
        d.Freeze();
        co_await f.store.Release(std::move(cache));
      }(fixture, disk));
    }
    Rng rng(seed);
    disk.Crash(rng);
    SimEngine engine(disk, seed);
    TestEnv env(engine, "/cache", seed, &disk, &engine);
    CacheFixture fixture(env, {.chunks = kChunks}, SmallLimits());
    engine.Run([](CacheFixture& f) -> Task<void> {
      BlobLease cache = co_await f.Open();
      CHECK(cache->TryHit(f.Plain(3)));
      co_await f.store.Release(std::move(cache));
    }(fixture));
  }
}

}  // namespace sluice::cache
