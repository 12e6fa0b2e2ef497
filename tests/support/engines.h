// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs a test body on every engine: io_uring, epoll, and several seeds of the simulator.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "runtime/engine.h"
#include "runtime/sim_disk.h"
#include "runtime/sim_engine.h"
#include "runtime/task.h"

namespace sluice::test {

// Where a test body runs.
class TestEnv {
 public:
  TestEnv(runtime::Engine& engine, std::string directory, uint64_t seed, runtime::SimDisk* disk,
          runtime::SimEngine* simulator)
      : engine_(engine), directory_(std::move(directory)), rng_(seed), disk_(disk), simulator_(simulator) {}

  runtime::Engine& engine() noexcept { return engine_; }
  // An empty directory of this run: of the real file system, or of the simulator's disk.  Removed afterwards.
  const std::string& directory() const noexcept { return directory_; }
  std::string Path(std::string_view name) const { return directory_ + "/" + std::string(name); }
  // Seeded: the same on each run.
  Rng& rng() noexcept { return rng_; }

  // Null on the real engines.
  runtime::SimDisk* disk() noexcept { return disk_; }
  runtime::SimEngine* simulator() noexcept { return simulator_; }

 private:
  runtime::Engine& engine_;
  const std::string directory_;
  Rng rng_;
  runtime::SimDisk* const disk_;
  runtime::SimEngine* const simulator_;
};

using TestBody = std::function<runtime::Task<void>(TestEnv&)>;

// Runs `body` once per engine and once per seed 1 … `seeds` of the simulator; a failure names engine and seed.  Where
// the kernel refuses io_uring, that run is left out and the test says so.  `body` may be a lambda coroutine with
// captures: it is alive until its task has ended.
void RunOnEngines(const TestBody& body, uint64_t seeds = 8);

// Only the simulator, with these faults.
void RunOnSimulator(const TestBody& body, uint64_t seeds, const runtime::SimFaults& faults = runtime::SimFaults());

// The code of the sluice::Error that `task` ends with; fails the test when it ends otherwise.
runtime::Task<Errc> ErrorOf(runtime::Task<void> task);

}  // namespace sluice::test
