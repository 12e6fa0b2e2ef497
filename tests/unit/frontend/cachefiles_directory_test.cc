// SPDX-License-Identifier: Apache-2.0
// The kernel's cache on a real file system; the kernel is played by a device that removes what is not in use.
#include <fcntl.h>
#include <sys/stat.h>  // for utimensat
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "frontend/cachefiles/cache_directory.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "support/temporary_directory.h"

namespace sluice::frontend::cachefiles {
namespace {

class CullingDevice final : public Device {
 public:
  int descriptor() const noexcept override { return -1; }
  runtime::Task<void> WaitReadable() override { co_return; }
  int64_t Read(MutableBytes) noexcept override { return 0; }
  std::unique_ptr<ObjectFd> TakeObject(int) override { return nullptr; }
  int64_t Command(std::string_view command) const noexcept override {
    const std::string name(command.substr(command.find(' ') + 1));
    if (in_use.contains(name)) return -EBUSY;
    if (command.starts_with("inuse ")) return static_cast<int64_t>(command.size());
    // Relative to the working directory of the thread, as the kernel does it.
    return ::unlink(name.c_str()) == 0 ? static_cast<int64_t>(command.size()) : -ESTALE;
  }

  std::set<std::string> in_use;
};

// Everything runs on a thread whose working directory is its own.
template <typename F>
auto OnThread(F function) {
  const auto engine = runtime::MakeEngine(runtime::EngineKind::kAuto);
  runtime::Offload culling(1);
  return engine->Run(culling.Run(*engine, std::move(function)));
}

std::string MakeObject(const CacheDirectory& cache, const ObjectKey& key, uint64_t blocks, int hours_ago) {
  const std::string path = cache.PathOf(key);
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << std::string(blocks * 4096, 'x');
  const timespec when{.tv_sec = std::time(nullptr) - hours_ago * 3600, .tv_nsec = 0};
  const timespec times[2] = {when, when};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  const int fd = ::open(path.c_str(), O_RDONLY);
  ::fsync(fd);  // the blocks are counted when they are allocated
  ::close(fd);
  return path;
}

TEST_CASE("what was used longest ago goes first, what is in use stays") {
  test::TemporaryDirectory directory;
  const CacheDirectory cache(directory / "cachefiles");
  const std::string newest = MakeObject(cache, {"erofs,a", "newest"}, 4, 1);
  const std::string busy = MakeObject(cache, {"erofs,a", "busy"}, 4, 9);
  const std::string oldest = MakeObject(cache, {"erofs,b", "oldest"}, 4, 8);
  const std::string older = MakeObject(cache, {"erofs,b", "older"}, 4, 7);
  CHECK(cache.Keys() ==
        std::set<ObjectKey>{{"erofs,a", "newest"}, {"erofs,a", "busy"}, {"erofs,b", "oldest"}, {"erofs,b", "older"}});
  const std::string here = std::filesystem::current_path();
  CullingDevice device;
  device.in_use.insert("Dbusy");
  const uint64_t freed = OnThread([&] { return cache.Reclaim(device, cache.List(), 20000); });
  CHECK(freed >= 20000);
  CHECK_FALSE(std::filesystem::exists(oldest));
  CHECK_FALSE(std::filesystem::exists(older));
  CHECK(std::filesystem::exists(busy));
  CHECK(std::filesystem::exists(newest));
  // Of this process.
  CHECK(std::filesystem::current_path() == here);
}

TEST_CASE("an object is culled by its key, once") {
  test::TemporaryDirectory directory;
  const CacheDirectory cache(directory / "cachefiles");
  const ObjectKey key("erofs,a", "img");
  CullingDevice device;
  const auto cull = [&] { return OnThread([&] { return cache.Cull(device, key); }); };
  CHECK(cull() == CullResult::kAbsent);
  MakeObject(cache, key, 1, 0);
  device.in_use.insert("Dimg");
  CHECK(cull() == CullResult::kInUse);
  device.in_use.clear();
  CHECK(cull() == CullResult::kCulled);
  CHECK(cull() == CullResult::kAbsent);
  CHECK_FALSE(OnThread([&] { return cache.IsInUse(device, "erofs,a"); }));
  device.in_use.insert("Ierofs,a");
  CHECK(OnThread([&] { return cache.IsInUse(device, "erofs,a"); }));
}

TEST_CASE("the graveyard is emptied, directories and all") {
  test::TemporaryDirectory directory;
  const CacheDirectory cache(directory / "cachefiles");
  cache.EmptyGraveyard();  // there is none yet
  std::filesystem::create_directories(directory / "cachefiles/graveyard/0000abcd/@00");
  std::ofstream(directory / "cachefiles/graveyard/0000abcd/@00/Dimg") << "x";
  cache.EmptyGraveyard();
  CHECK(std::filesystem::is_empty(directory / "cachefiles/graveyard"));
}

TEST_CASE("space is short when less is free than wanted") {
  test::TemporaryDirectory directory;
  const CacheDirectory cache(directory / "");
  CHECK(cache.Shortage(0, 0) == 0);
  CHECK(cache.Shortage(101, 102) > 0);
}

}  // namespace
}  // namespace sluice::frontend::cachefiles
