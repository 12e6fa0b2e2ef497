// SPDX-License-Identifier: Apache-2.0
// From a source that is a file into data that threads write: one thread does it all, or the shard as ever.
#include "cache/blob_cache.h"
#include "cache_fixture.h"

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
  int written_by_thread = 0;  // one after the other: each reader waits for his chunk

 private:
  runtime::Offload& threads_;
  std::vector<std::byte>& bytes_;
  const std::string name_ = "memory";
};

struct Rig {
  explicit Rig(TestEnv& env)
      : fixture(env, {.chunks = 12, .max_size = 20000}),
        bytes(fixture.layout->plain_size()),
        shard(env.engine(), threads, testing::NearLimits()),
        cache(shard, fixture.layout, "memory", std::nullopt, ChunkMap(fixture.layout->all().size())) {
    fixture.backend.is_file = true;
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
  runtime::Offload threads{2};
  CacheShard shard;
  BlobCache cache;
  WaitingData* data;  // until the cache is closed
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

}  // namespace
}  // namespace sluice::cache
