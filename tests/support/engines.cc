// SPDX-License-Identifier: Apache-2.0
#include "support/engines.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/error.h"

namespace sluice::test {

namespace {

// A directory of the real file system, removed with all in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) ThrowErrno(errno, "make '{}'", pattern);
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

void RunOn(runtime::EngineKind kind, const TestBody& body) {
  const std::unique_ptr<runtime::Engine> engine = runtime::MakeEngine(kind);
  INFO("engine " << engine->name());
  const TemporaryDirectory directory;
  TestEnv env(*engine, directory.path(), 1, nullptr, nullptr);
  engine->Run(body(env));
}

bool UringIsRefused() {
  try {
    runtime::MakeEngine(runtime::EngineKind::kUring);
    return false;
  } catch (const Error& error) {
    if (error.code() != Errc::kUnsupported) throw;
    WARN("not run on io_uring: " << error.message());
    return true;
  }
}

}  // namespace

void RunOnEngines(const TestBody& body, uint64_t seeds) {
  if (!UringIsRefused()) RunOn(runtime::EngineKind::kUring, body);
  RunOn(runtime::EngineKind::kEpoll, body);
  RunOnSimulator(body, seeds);
}

void RunOnSimulator(const TestBody& body, uint64_t seeds, const runtime::SimFaults& faults) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("simulator, seed " << seed);
    runtime::SimDisk disk;
    disk.MakeDirectory("/sim");
    runtime::SimDisk::NodePtr root;
    disk.Open("/", 0, root);
    disk.Sync(*root);
    runtime::SimEngine engine(disk, seed, faults);
    TestEnv env(engine, "/sim", seed, &disk, &engine);
    engine.Run(body(env));
  }
}

runtime::Task<Errc> ErrorOf(runtime::Task<void> task) {
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    co_return error.code();
  }
  FAIL("ends without an error");
  co_return Errc::kIo;
}

}  // namespace sluice::test
