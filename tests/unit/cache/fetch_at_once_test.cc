// SPDX-License-Identifier: Apache-2.0
// From a source that is a file into data that threads write: one thread does it all, or the shard as ever.
#include "cache/blob_cache.h"

#include <atomic>

#include "cache_fixture.h"
#include "runtime/combine.h"

namespace sluice::cache {
namespace {

using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;
using testing::CacheFixture;

// In memory.
class WaitingData final : public DataFile {
 public:
  WaitingData(runtime::Offload& threads, std::vector<std::byte>& bytes) : threads_(threads), bytes_(bytes) {}

  const std::string& name() const noexcept override { return name_; }
  Task<void> WriteAll(ConstBytes src, uint64_t offset) override {
    ++written_by_shard;
    std::copy(src.begin(), src.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
    co_return;
  }
  Task<void> SyncData() override { co_return; }
  runtime::Offload* writers() const noexcept override { return &threads_; }
  bool TryWrite(ConstBytes src, uint64_t offset) noexcept override {
    if (refused) return false;
    std::copy(src.begin(), src.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
    ++written_by_thread;
    return true;
  }

  bool refused = false;
  int written_by_shard = 0;
  std::atomic<int> written_by_thread = 0;

 private:
  runtime::Offload& threads_;
  std::vector<std::byte>& bytes_;
  const std::string name_ = "memory";
};

// A blob in a file of its own.
struct File {
  File(TestEnv& env, CacheShard& shard, runtime::Offload& threads, uint64_t file_system = 1)
      : fixture(env, {.chunks = 12, .max_size = 20000}),
        bytes(fixture.layout->plain_size()),
        cache(shard, fixture.layout, "memory", std::nullopt, ChunkMap(fixture.layout->all().size())) {
    fixture.backend.is_file = true;
    fixture.backend.file_system = file_system;
    auto made = std::make_unique<WaitingData>(threads, bytes);
    data = made.get();
    cache.AttachData(std::move(made));
    cache.AddSource(fixture.NewSource());
  }

  Task<void> ExpectChunk(uint32_t position) {
    const ByteRange plain = fixture.Plain(position);
    co_await cache.Ensure(plain);
    const auto at = static_cast<ptrdiff_t>(plain.offset);
    const bool right = std::equal(bytes.begin() + at, bytes.begin() + static_cast<ptrdiff_t>(plain.end()),
                                  fixture.blob.plain.begin() + at);
    CHECK(right);
  }

  CacheFixture fixture;
  std::vector<std::byte> bytes;
  BlobCache cache;
  WaitingData* data;  // until the cache is closed
};

struct Machine {
  explicit Machine(TestEnv& env, const CacheLimits& limits = testing::NearLimits(), size_t count = 2)
      : threads(count), shard(env.engine(), threads, limits) {}
  runtime::Offload threads;
  CacheShard shard;
};

struct Rig : Machine, File {
  explicit Rig(TestEnv& env) : Machine(env), File(env, Machine::shard, Machine::threads) {}
};

TEST_CASE("one thread reads, decompresses, verifies and writes a run") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env);
    for (uint32_t chunk = 3; chunk < 12; chunk += 4) co_await rig.ExpectChunk(chunk);
    CHECK(rig.fixture.backend.reads.empty());
    CHECK(rig.data->written_by_thread == 3);
    CHECK(rig.data->written_by_shard == 0);
    CHECK(rig.cache.stats().fetched_stored_bytes > 0);
    CHECK(rig.cache.stats().misses == 3);
    co_await rig.cache.Close();
  });
}

TEST_CASE("what one thread cannot do is done step by step, and then it is known why") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env);
    auto& backend = rig.fixture.backend;
    // Wrong bytes are not written, and read again.
    backend.wrong_at = rig.fixture.Stored(2).offset;
    backend.wrong_reads = 1;
    co_await rig.ExpectChunk(2);
    CHECK(rig.data->written_by_thread == 0);
    CHECK(rig.data->written_by_shard == 1);
    // A write that is refused.
    rig.data->refused = true;
    co_await rig.ExpectChunk(5);
    CHECK(rig.data->written_by_shard == 2);
    rig.data->refused = false;
    // Nothing to be read.
    backend.missing = true;
    co_await testing::ExpectError(Errc::kNotFound, rig.cache.Ensure(rig.fixture.Plain(8)));
    CHECK(rig.cache.stats().errors == 1);
    co_await rig.cache.Close();
  });
}

// Waits for its chunk until it is told that there is none.
Task<void> ExpectTimeout(File& file, uint32_t position) {
  co_await testing::ExpectError(Errc::kTimeout, file.cache.Ensure(file.fixture.Plain(position)));
}

TEST_CASE("a file system that hangs leaves threads and memory to the others, and its readers hear of it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    if (env.engine().simulated()) co_return;  // it has no threads that could hang
    CacheLimits limits = testing::NearLimits();
    limits.file_reads = 2;
    limits.fetch_timeout = std::chrono::seconds(1);
    Machine machine(env, limits, 3);
    File dead(env, machine.shard, machine.threads, 1);
    File also_dead(env, machine.shard, machine.threads, 1);
    File alive(env, machine.shard, machine.threads, 2);
    dead.fixture.backend.file_hangs = true;
    also_dead.fixture.backend.file_hangs = true;
    std::vector<Task<void>> readers;
    for (uint32_t position = 0; position < 8; position += 2) {
      readers.push_back(ExpectTimeout(dead, position));
      readers.push_back(ExpectTimeout(also_dead, position));
    }
    readers.push_back(alive.ExpectChunk(3));
    co_await runtime::WhenAll(std::move(readers));
    CHECK(dead.fixture.backend.file_reads + also_dead.fixture.backend.file_reads == 2);
    co_await alive.ExpectChunk(7);
    for (File* file : {&dead, &also_dead}) {
      file->fixture.backend.file_hangs = false;
      file->fixture.backend.file_hangs.notify_all();
    }
    // It is back.
    co_await also_dead.ExpectChunk(11);
    for (File* file : {&dead, &also_dead, &alive}) co_await file->cache.Close();
  });
}

}  // namespace
}  // namespace sluice::cache
