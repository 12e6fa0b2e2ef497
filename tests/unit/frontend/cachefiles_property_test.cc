// SPDX-License-Identifier: Apache-2.0
// Random processes against the door: whatever happens, nobody waits for ever, nobody reads wrong bytes, and without a
// fault nobody gets an error.
#include <catch2/catch.hpp>
#include <cerrno>

#include "cachefiles_rig.h"
#include "frontend/cachefiles/blob_object.h"
#include "runtime/combine.h"
#include "runtime/timer.h"

namespace sluice::frontend::cachefiles {
namespace {

using runtime::Task;
using test::TestEnv;
using testing::ModelOptions;
using testing::Rig;

constexpr size_t kBlobs = 4;
constexpr int kReaders = 6;
constexpr int kReads = 25;

struct Image {
  std::string fsid;
  std::string domain;
  std::vector<size_t> blobs;
};

// Two domains with shared blobs, and one image alone.
const std::vector<Image>& Images() {
  static const std::vector<Image> images = {
      {"a", "one", {0, 1}}, {"b", "one", {0, 2, 3}}, {"c", "two", {0, 3}}, {"d", "", {1, 2}}};
  return images;
}

struct Faults {
  bool allowed = false;  // readers may get EIO
  bool over = false;     // readers have ended: no more faults
};

// A backend that hangs does so for longer than a fetch may take.  Without faults, a busy machine alone must not end
// one.
cache::CacheLimits Limits(bool with_faults) {
  cache::CacheLimits limits;
  if (with_faults) limits.fetch_timeout = std::chrono::milliseconds(100);
  return limits;
}

Task<void> Pause(TestEnv& env, uint64_t most_us) {
  const auto pause = std::chrono::microseconds(env.rng().Below(most_us));
  co_await runtime::Sleep(env.engine(), pause);
}

// One process that uses one image.
Task<void> Reader(TestEnv& env, Rig& rig, Faults& faults, const Image& image) {
  for (int count = 0; count < kReads; ++count) {
    int error = 0;
    if (env.rng().Chance(20)) {
      const uint64_t blocks = rig.bootstrap(image.fsid).size() / 4096;
      const ByteRange range{env.rng().Below(blocks) * 4096, 4096};
      error = co_await rig.ReadBootstrap(image.fsid, range);
    } else {
      const size_t blob = image.blobs[env.rng().Below(image.blobs.size())];
      const uint64_t blocks = rig.blobs[blob].plain.size() / 4096;
      const uint64_t first = env.rng().Below(blocks);
      const uint64_t length = 1 + env.rng().Below(std::min<uint64_t>(blocks - first, 32));
      const ByteRange range{first * 4096, length * 4096};
      error = co_await rig.ReadBlob(image.fsid, blob, range);
    }
    const bool as_expected = error == 0 || (faults.allowed && error == -EIO);
    CHECK(as_expected);
    co_await Pause(env, 300);
  }
}

// Several readers of one mount, then the mount ends; several times.
Task<void> Process(TestEnv& env, Rig& rig, Faults& faults, const Image& image) {
  for (int round = 0; round < 2; ++round) {
    const int mounted = co_await rig.Mount(image.fsid);
    CHECK(mounted == 0);
    std::vector<Task<void>> readers;
    for (int reader = 0; reader < kReaders; ++reader) readers.push_back(Reader(env, rig, faults, image));
    co_await runtime::WhenAll(std::move(readers));
    co_await rig.Unmount(image.fsid);
  }
}

Task<void> AllProcesses(TestEnv& env, Rig& rig, Faults& faults) {
  std::vector<Task<void>> processes;
  for (const Image& image : Images()) processes.push_back(Process(env, rig, faults, image));
  co_await runtime::WhenAll(std::move(processes));
  faults.over = true;
}

// What the world does meanwhile.
Task<void> Trouble(TestEnv& env, Rig& rig, Faults& faults) {
  while (!faults.over) {
    co_await Pause(env, 4000);
    auto& backend = *rig.backends[env.rng().Below(kBlobs)];
    switch (env.rng().Below(faults.allowed ? 7 : 3)) {
      case 0: rig.kernel.options.refusals = static_cast<uint32_t>(env.rng().Below(4)); break;
      case 1: rig.kernel.options.short_writes = env.rng().Chance(50); break;
      case 2: co_await rig.Restart(); break;
      case 3: backend.missing = !backend.missing; break;
      case 4:
        backend.wrong_at = env.rng().Below(backend.stored.size());
        backend.wrong_reads = static_cast<int>(env.rng().Below(8));
        break;
      case 5:
        // Hangs for a while.
        backend.open.Reset();
        co_await Pause(env, 150000);
        backend.open.Set();
        break;
      case 6: rig.kernel.options.free_blocks = env.rng().Chance(50) ? env.rng().Below(10) : 1 << 20; break;
    }
  }
  for (const auto& backend : rig.backends) backend->open.Set();
}

Task<void> Run(TestEnv& env, const ModelOptions& options, bool with_faults) {
  Rig rig(env, kBlobs, options, Limits(with_faults));
  for (size_t blob = 0; blob < kBlobs; blob += 2) rig.backends[blob]->is_file = true;
  co_await rig.Start();
  for (const Image& image : Images()) co_await rig.Bind(image.fsid, image.domain, image.blobs);
  Faults faults{.allowed = with_faults};
  std::vector<Task<void>> all;
  all.push_back(AllProcesses(env, rig, faults));
  all.push_back(Trouble(env, rig, faults));
  co_await runtime::WhenAll(std::move(all));
  co_await rig.Stop();
  co_await rig.kernel.Join();
  CHECK(rig.kernel.pending() == 0);
  CHECK(rig.kernel.open_fds() == 0);
  CHECK(rig.kernel.misuses() == 0);
}

TEST_CASE("whatever the kernel and its readers do, right bytes are read, also by the next daemon") {
  test::RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        ModelOptions options;
        options.cyclic_ids = env.rng().Chance(50);
        options.rounds_up = env.rng().Chance(50);
        co_await Run(env, options, false);
      },
      12);
}

TEST_CASE("whatever the backend and the disk do, nobody reads wrong bytes or waits for ever") {
  test::RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        const ModelOptions options;
        co_await Run(env, options, true);
      },
      12);
}

}  // namespace
}  // namespace sluice::frontend::cachefiles
