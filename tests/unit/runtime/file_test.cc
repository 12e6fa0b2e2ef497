// SPDX-License-Identifier: Apache-2.0
#include "runtime/file.h"

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using test::ErrorOf;
using test::RunOnEngines;
using test::RunOnSimulator;
using test::TestEnv;

std::vector<std::byte> RandomBytes(Rng& rng, size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& each : bytes) each = static_cast<std::byte>(rng.Next());
  return bytes;
}

Task<void> OpenAndDrop(Engine& engine, std::string path, int flags) { co_await File::Open(engine, path, flags); }

TEST_CASE("what was written is read, short transfers or not") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    File file = co_await File::Open(env.engine(), env.Path("file"), O_RDWR | O_CREAT);
    const std::vector<std::byte> written = RandomBytes(env.rng(), 300000);
    co_await file.WriteAll(written, 4096);
    const uint64_t size = co_await file.Size();
    CHECK(size == 304096);
    std::vector<std::byte> read(304096 + 10);
    const size_t got = co_await file.ReadAt(read, 0);
    CHECK(got == 304096);
    CHECK(std::all_of(read.begin(), read.begin() + 4096, [](std::byte b) { return b == std::byte{0}; }));
    CHECK(std::equal(written.begin(), written.end(), read.begin() + 4096));
    const Errc code = co_await ErrorOf(file.ReadExactly(read, 0));
    CHECK(code == Errc::kCorrupt);
  });
}

TEST_CASE("truncation, holes and syncs do what the system calls do") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    File file = co_await File::Open(env.engine(), env.Path("file"), O_RDWR | O_CREAT);
    std::vector<std::byte> bytes(3 * 4096, std::byte{1});
    co_await file.WriteAll(bytes, 0);
    co_await file.PunchHole({4096, 4096});
    co_await file.Truncate(2 * 4096 + 100);
    co_await file.SyncData();
    co_await file.Sync();
    co_await file.Truncate(3 * 4096);
    co_await file.ReadExactly(bytes, 0);
    for (size_t i = 0; i < bytes.size(); ++i) {
      const bool one = i < 4096 || (i >= 8192 && i < 8292);
      if (bytes[i] != std::byte{one}) FAIL("byte " << i);
    }
  });
}

TEST_CASE("names are made, replaced, listed and removed") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Engine& engine = env.engine();
    co_await MakeDirectory(engine, env.Path("dir"));
    for (const char* name : {"dir/b", "dir/a", "dir/c"}) {
      co_await OpenAndDrop(engine, env.Path(name), O_WRONLY | O_CREAT | O_EXCL);
    }
    co_await Rename(engine, env.Path("dir/c"), env.Path("dir/a"));
    co_await Unlink(engine, env.Path("dir/b"));
    co_await SyncDirectory(engine, env.Path("dir"));
    const std::vector<std::string> names = co_await ListDirectory(engine, env.Path("dir"), 10);
    CHECK(names == std::vector<std::string>{"a"});

    Errc code = co_await ErrorOf(MakeDirectory(engine, env.Path("dir")));
    CHECK(code == Errc::kExists);
    code = co_await ErrorOf(OpenAndDrop(engine, env.Path("dir/a"), O_WRONLY | O_CREAT | O_EXCL));
    CHECK(code == Errc::kExists);
    code = co_await ErrorOf(OpenAndDrop(engine, env.Path("dir/b"), O_RDONLY));
    CHECK(code == Errc::kNotFound);
    code = co_await ErrorOf(RemoveDirectory(engine, env.Path("dir")));
    CHECK(code == Errc::kIo);  // not empty
    co_await Unlink(engine, env.Path("dir/a"));
    co_await RemoveDirectory(engine, env.Path("dir"));
    code = co_await ErrorOf(Unlink(engine, env.Path("dir/a")));
    CHECK(code == Errc::kNotFound);
  });
}

TEST_CASE("a directory with too many names is refused") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    for (const char* name : {"1", "2", "3"}) co_await OpenAndDrop(env.engine(), env.Path(name), O_WRONLY | O_CREAT);
    const std::vector<std::string> names = co_await ListDirectory(env.engine(), env.directory(), 3);
    CHECK(names.size() == 3);
    auto list = [](TestEnv& in) -> Task<void> { co_await ListDirectory(in.engine(), in.directory(), 2); };
    const Errc code = co_await ErrorOf(list(env));
    CHECK(code == Errc::kLimit);
  });
}

// More operations than any ring or pool takes at once.
TEST_CASE("a thousand reads at once all end with the right bytes") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        constexpr size_t kCount = 1000;
        constexpr size_t kPiece = 64;
        File file = co_await File::Open(env.engine(), env.Path("file"), O_RDWR | O_CREAT);
        const std::vector<std::byte> written = RandomBytes(env.rng(), kCount * kPiece);
        co_await file.WriteAll(written, 0);
        std::vector<std::byte> read(written.size());
        std::vector<Task<void>> tasks;
        for (size_t i = 0; i < kCount; ++i) {
          tasks.push_back(file.ReadExactly(MutableBytes(read).subspan(i * kPiece, kPiece), i * kPiece));
        }
        co_await WhenAll(std::move(tasks));
        CHECK(read == written);
      },
      2);
}

TEST_CASE("a stop in the middle of many operations ends them all") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    File file = co_await File::Open(env.engine(), env.Path("file"), O_RDWR | O_CREAT);
    std::vector<std::byte> bytes(1 << 20);
    co_await file.WriteAll(bytes, 0);
    int ended = 0;
    int stopped = 0;
    auto worker = [](File& on, std::vector<std::byte> buffer, int& done, int& left) -> Task<void> {
      try {
        for (uint64_t i = 0; i < 1000; ++i) {
          co_await on.WriteAll(buffer, (i % 16) * 65536);
          co_await on.SyncData();
          co_await on.ReadExactly(buffer, (i % 16) * 65536);
        }
      } catch (const Error& error) {
        left += error.code() == Errc::kStopped ? 1 : 0;
      }
      ++done;
    };
    Scope scope(env.engine(), "workers");
    for (int i = 0; i < 100; ++i) scope.Spawn(worker(file, std::vector<std::byte>(4096), ended, stopped));
    co_await Sleep(env.engine(), std::chrono::milliseconds(2));
    scope.RequestStop();
    co_await scope.Join();
    CHECK(ended == 100);
    CHECK(stopped == 100);
  });
}

TEST_CASE("a full disk is told as such, and there is room again later") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        env.disk()->SetCapacity(64 * 4096);
        File file = co_await File::Open(env.engine(), env.Path("file"), O_RDWR | O_CREAT);
        const std::vector<std::byte> bytes(100 * 4096, std::byte{7});
        const Errc code = co_await ErrorOf(file.WriteAll(bytes, 0));
        CHECK(code == Errc::kNoSpace);
        CHECK(env.disk()->used() == 64 * 4096);
        env.disk()->SetCapacity(128 * 4096);
        co_await file.WriteAll(bytes, 0);
        co_await Unlink(env.engine(), env.Path("file"));
        CHECK(env.disk()->used() == 0);
      },
      20);
}

TEST_CASE("an I/O error names the file and the range") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        File file = co_await File::Open(env.engine(), env.Path("file"), O_RDWR | O_CREAT);
        std::string message;
        std::vector<std::byte> bytes(512);
        try {
          co_await file.WriteAll(bytes, 1024);
        } catch (const Error& error) {
          message = error.message();
        }
        CHECK(message == "write 512 bytes at 1024 of '/sim/file': Input/output error");
      },
      1, SimFaults{.write_error = 100});
}

}  // namespace
}  // namespace sluice::runtime
