// SPDX-License-Identifier: Apache-2.0
// The door in front of the model of the kernel, on every engine.
#include "frontend/cachefiles/door.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>

#include "cachefiles_rig.h"
#include "frontend/cachefiles/blob_object.h"
#include "runtime/combine.h"
#include "runtime/timer.h"

namespace sluice::frontend::cachefiles {
namespace {

using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;
using testing::ModelOptions;
using testing::Rig;

cache::CacheLimits Impatient() {
  cache::CacheLimits limits;
  limits.fetch_timeout = std::chrono::seconds(1);
  return limits;
}

// What nobody asks for stays missing.
cache::CacheLimits NothingAhead() {
  cache::CacheLimits limits;
  limits.read_ahead.max_window = 0;
  return limits;
}

// Not CHECK(co_await …): g++ 12 runs the await of the macro's dead branch, too.
Task<void> Expect(int error, Task<int> task) {
  const int got = co_await std::move(task);
  CHECK(got == error);
}

// Not a braced list in a coroutine: g++ 12 does not take it.
template <typename... Index>
std::vector<size_t> Blobs(Index... index) {
  return {static_cast<size_t>(index)...};
}

ByteRange All(const Rig& rig, size_t blob) { return {0, rig.blobs[blob].plain.size()}; }

Task<void> End(Rig& rig) {
  co_await rig.Stop();
  co_await rig.kernel.Join();
  CHECK(rig.kernel.pending() == 0);
  CHECK(rig.kernel.open_fds() == 0);
  CHECK(rig.kernel.misuses() == 0);
}

TEST_CASE("a mounted image can be read, its bootstrap without asking for much of it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 2);
    co_await rig.Start();
    co_await rig.Bind("img", "dom", Blobs(0, 1));
    co_await Expect(0, rig.Mount("img"));
    // One page at a time, as EROFS reads its metadata.
    const uint64_t size = rig.bootstrap("img").size();
    for (uint64_t offset = 0; offset < size; offset += 4096) {
      co_await Expect(0, rig.ReadBootstrap("img", {offset, 4096}));
      if (offset == 0) co_await runtime::Sleep(env.engine(), std::chrono::milliseconds(30));
    }
    CHECK(rig.kernel.reads() <= 10);
    co_await Expect(0, rig.ReadBlob("img", 0, All(rig, 0)));
    co_await Expect(0, rig.ReadBlob("img", 1, {8192, 4096}));
    CHECK(rig.shard->stats.errors == 0);
    co_await rig.Unmount("img");
    co_await End(rig);
  });
}

TEST_CASE("what the kernel has is found again by its extents: a second mount fetches nothing") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 1, {}, NothingAhead());
    co_await rig.Start();
    co_await rig.Bind("img", "", Blobs(0));
    co_await Expect(0, rig.Mount("img"));
    co_await Expect(0, rig.ReadBlob("img", 0, {0, rig.blobs[0].plain.size() / 2 / 4096 * 4096}));
    co_await rig.Unmount("img");
    const size_t fetches = rig.backends[0]->reads.size();
    const uint64_t asked = rig.kernel.reads();
    co_await Expect(0, rig.Mount("img"));
    rig.backends[0]->missing = true;
    co_await Expect(0, rig.ReadBlob("img", 0, {0, rig.blobs[0].plain.size() / 2 / 4096 * 4096}));
    CHECK(rig.kernel.reads() == asked);
    // The rest is not there, and the reader hears of it.
    co_await Expect(-EIO, rig.ReadBlob("img", 0, All(rig, 0)));
    rig.backends[0]->missing = false;
    co_await Expect(0, rig.ReadBlob("img", 0, All(rig, 0)));
    CHECK(rig.backends[0]->reads.size() > fetches);
    // Half of the blob was found, not fetched.
    const cache::BlobCache* const cache = (*rig.shard->blobs.begin())->cache();
    REQUIRE(cache != nullptr);
    CHECK(cache->stats().fetched_plain_bytes < cache->layout().chunk_bytes() * 3 / 4);
    co_await rig.Unmount("img");
    co_await End(rig);
  });
}

TEST_CASE("objects that are not bound are refused at once, and so are messages without sense") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 1);
    co_await rig.Start();
    co_await rig.Bind("img", "dom", Blobs(0));
    co_await Expect(-ENOENT, rig.kernel.Acquire({"erofs,dom", "other"}));
    co_await Expect(-ENOENT, rig.kernel.Acquire({"erofs,else", "img"}));
    co_await Expect(-ENOENT, rig.kernel.Acquire({"erofs,dom", std::string(252, 'x')}));
    rig.kernel.Inject(std::vector<std::byte>());
    rig.kernel.Inject(std::vector<std::byte>(15));
    rig.kernel.Inject(std::vector<std::byte>(16, std::byte{0xFF}));
    co_await Expect(0, rig.Mount("img"));
    // Far behind the end; nothing at all.
    co_await Expect(0, rig.kernel.Demand(rig.KeyOf("img", 0), {uint64_t{1} << 62, 4096}));
    co_await Expect(0, rig.kernel.Demand(rig.KeyOf("img", 0), {0, 0}));
    co_await Expect(0, rig.ReadBlob("img", 0, All(rig, 0)));
    co_await rig.Unmount("img");
    co_await End(rig);
  });
}

TEST_CASE("readers of one chunk share one fetch, and nobody waits for another one's blob") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 2);
    co_await rig.Start();
    co_await rig.Bind("img", "dom", Blobs(0, 1));
    co_await Expect(0, rig.Mount("img"));
    rig.backends[0]->open.Reset();
    std::vector<Task<void>> readers;
    for (int reader = 0; reader < 8; ++reader) readers.push_back(Expect(0, rig.ReadBlob("img", 0, {0, 4096})));
    readers.push_back([](Rig& of) -> Task<void> {
      // While blob 0 hangs.
      co_await Expect(0, of.ReadBlob("img", 1, All(of, 1)));
      of.backends[0]->open.Set();
    }(rig));
    co_await runtime::WhenAll(std::move(readers));
    uint64_t first_chunk = 0;
    for (const ByteRange& read : rig.backends[0]->reads) first_chunk += read.offset == 0;
    CHECK(first_chunk == 1);
    co_await rig.Unmount("img");
    co_await End(rig);
  });
}

TEST_CASE("a reader of a blob that hangs gets EIO in bounded time, and its bytes when the blob is back") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Rig rig(env, 1, {}, Impatient());
        co_await rig.Start();
        co_await rig.Bind("img", "", Blobs(0));
        co_await Expect(0, rig.Mount("img"));
        rig.backends[0]->open.Reset();
        const TimePoint begin = env.engine().Now();
        co_await Expect(-EIO, rig.ReadBlob("img", 0, {0, 4096}));
        CHECK(env.engine().Now() - begin < std::chrono::seconds(10));
        rig.backends[0]->open.Set();
        co_await Expect(0, rig.ReadBlob("img", 0, {0, 4096}));
        co_await rig.Unmount("img");
        co_await End(rig);
      },
      3);
}

TEST_CASE("an unmount ends fetches that nobody waits for") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 1);
    co_await rig.Start();
    co_await rig.Bind("img", "", Blobs(0));
    co_await Expect(0, rig.Mount("img"));
    rig.backends[0]->open.Reset();
    std::vector<Task<void>> both;
    both.push_back(Expect(-EIO, rig.ReadBlob("img", 0, {0, 4096})));
    both.push_back(rig.Unmount("img"));
    co_await runtime::WhenAll(std::move(both));
    // The backend still hangs: stopping does not wait for it.
    co_await rig.Stop();
    CHECK(rig.kernel.open_fds() == 0);
    co_await rig.kernel.Join();
  });
}

TEST_CASE("in a domain a shared blob is fetched once, from whoever still is bound") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 3);
    co_await rig.Start();
    co_await rig.Bind("one", "dom", Blobs(0, 1));
    co_await rig.Bind("two", "dom", Blobs(0, 2));
    co_await Expect(0, rig.Mount("one"));
    co_await Expect(0, rig.Mount("two"));
    co_await Expect(0, rig.ReadBlob("one", 0, All(rig, 0)));
    const size_t fetches = rig.backends[0]->reads.size();
    const uint64_t asked = rig.kernel.reads();
    co_await Expect(0, rig.ReadBlob("two", 0, All(rig, 0)));
    CHECK(rig.kernel.reads() == asked);
    CHECK(rig.backends[0]->reads.size() == fetches);
    co_await rig.Unmount("one");
    co_await rig.Unbind("one");
    // The shard hears of a write behind the reader's back.
    const cache::testing::TestBlob& shared = rig.blobs[0];
    const auto heard = [&] {
      return std::all_of(rig.shard->blobs.begin(), rig.shard->blobs.end(), [&](const BlobObject* blob) {
        return blob->layout().id() != shared.blob.id || (blob->cache() != nullptr && blob->cache()->complete());
      });
    };
    while (!heard()) co_await runtime::Sleep(env.engine(), std::chrono::milliseconds(1));
    rig.kernel.Punch(rig.KeyOf("two", 0));
    co_await Expect(0, rig.ReadBlob("two", 0, All(rig, 0)));
    CHECK(rig.backends[0]->reads.size() > fetches);
    co_await rig.Unmount("two");
    co_await End(rig);
  });
}

TEST_CASE("a write that the kernel refuses is tried again; a full cache is an error until there is space") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Rig rig(env, 1);
        co_await rig.Start();
        co_await rig.Bind("img", "", Blobs(0));
        co_await Expect(0, rig.Mount("img"));
        co_await runtime::Sleep(env.engine(), std::chrono::milliseconds(20));
        rig.kernel.options.refusals = 5;
        co_await Expect(0, rig.ReadBlob("img", 0, {0, 4096}));
        CHECK(rig.kernel.options.refusals == 0);
        rig.kernel.options.free_blocks = 0;
        const uint64_t last = rig.blobs[0].plain.size() - 4096;
        co_await Expect(-EIO, rig.ReadBlob("img", 0, {last, 4096}));
        rig.kernel.options.free_blocks = 1000;
        co_await Expect(0, rig.ReadBlob("img", 0, {last, 4096}));
        co_await rig.Unmount("img");
        co_await End(rig);
      },
      2);
}

TEST_CASE("readers of a cache whose disk fails get EIO at once, it is told, and they go on when it is back") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Rig rig(env, 1, {}, NothingAhead());
        co_await rig.Start();
        co_await rig.Bind("img", "", Blobs(0));
        co_await Expect(0, rig.Mount("img"));
        co_await Expect(0, rig.ReadBootstrap("img", {0, 4096}));
        CHECK(rig.shard->disk.Trouble().empty());
        rig.kernel.options.disk_fails = true;
        const TimePoint begin = env.engine().Now();
        co_await Expect(-EIO, rig.ReadBlob("img", 0, {0, 4096}));
        CHECK(env.engine().Now() - begin < std::chrono::seconds(4));
        CHECK(rig.shard->disk.Trouble() == "the disk of the cache '/cache' takes nothing: Input/output error");
        rig.kernel.options.disk_fails = false;
        co_await Expect(0, rig.ReadBlob("img", 0, {0, 4096}));
        CHECK(rig.shard->disk.Trouble().empty());
        co_await rig.Unmount("img");
        co_await End(rig);
      },
      3);
}

TEST_CASE("readers wait while the daemon is replaced and then go on") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 1);
    co_await rig.Start();
    co_await rig.Bind("img", "dom", Blobs(0));
    co_await Expect(0, rig.Mount("img"));
    co_await Expect(0, rig.ReadBlob("img", 0, {0, 4096}));
    rig.backends[0]->open.Reset();
    std::vector<Task<void>> all;
    for (uint64_t offset = 0; offset + 4096 <= rig.blobs[0].plain.size(); offset += 4096) {
      all.push_back(Expect(0, rig.ReadBlob("img", 0, {offset, 4096})));
    }
    all.push_back([](Rig& of) -> Task<void> {
      co_await of.Restart();
      of.backends[0]->open.Set();
    }(rig));
    co_await runtime::WhenAll(std::move(all));
    co_await Expect(0, rig.ReadBootstrap("img", {0, 4096}));
    co_await rig.Unmount("img");
    co_await End(rig);
  });
}

TEST_CASE("when the device is lost every waiting reader gets EIO") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Rig rig(env, 1);
    co_await rig.Start();
    co_await rig.Bind("img", "", Blobs(0));
    co_await Expect(0, rig.Mount("img"));
    rig.backends[0]->open.Reset();
    std::vector<Task<void>> both;
    both.push_back(Expect(-EIO, rig.ReadBlob("img", 0, {0, 4096})));
    both.push_back([](Rig& of) -> Task<void> {
      of.kernel.Release();
      co_await of.Stop();
    }(rig));
    co_await runtime::WhenAll(std::move(both));
    CHECK(rig.kernel.pending() == 0);
    co_await rig.kernel.Join();
  });
}

}  // namespace
}  // namespace sluice::frontend::cachefiles
