// SPDX-License-Identifier: Apache-2.0
#include "runtime/sim_disk.h"

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace sluice::runtime {
namespace {

std::vector<std::byte> Filled(size_t count, int value) { return std::vector(count, static_cast<std::byte>(value)); }

SimDisk::NodePtr OpenAt(SimDisk& disk, std::string_view path, int flags = O_RDWR) {
  SimDisk::NodePtr node;
  REQUIRE(disk.Open(path, flags, node) == 0);
  return node;
}

TEST_CASE("what was synced survives every crash") {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    SimDisk disk;
    const auto file = OpenAt(disk, "/file", O_RDWR | O_CREAT);
    disk.Write(*file, Filled(5000, 1), 0);
    disk.Sync(*file);
    disk.Sync(*OpenAt(disk, "/", O_RDONLY));
    disk.Crash(rng);
    INFO("seed " << seed);
    CHECK(disk.Content("/file") == Filled(5000, 1));
  }
}

TEST_CASE("of a write that was not synced, a crash leaves any subset of its sectors") {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Rng rng(seed);
    SimDisk disk;
    disk.Put("/file", Filled(1024, 'o'));
    disk.Write(*OpenAt(disk, "/file"), Filled(1024, 'n'), 0);
    disk.Crash(rng);
    const std::vector<std::byte> content = disk.Content("/file").value();
    REQUIRE(content.size() == 1024);
    std::string sectors;
    for (const size_t sector : {0, 1}) {
      const auto begin = content.begin() + static_cast<ptrdiff_t>(sector * 512);
      REQUIRE(std::all_of(begin, begin + 512, [&](std::byte b) { return b == *begin; }));
      sectors += static_cast<char>(*begin);
    }
    seen.insert(sectors);
  }
  CHECK(seen == std::set<std::string>{"oo", "on", "no", "nn"});
}

TEST_CASE("a file grows by a write that was not synced, or not, or grows without its data") {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Rng rng(seed);
    SimDisk disk;
    disk.Put("/file", {});
    disk.Write(*OpenAt(disk, "/file"), Filled(512, 'n'), 0);
    disk.Crash(rng);
    const std::vector<std::byte> content = disk.Content("/file").value();
    seen.insert(content.empty() ? "empty" : content[0] == std::byte{'n'} ? "data" : "zeros");
  }
  CHECK(seen == std::set<std::string>{"empty", "data", "zeros"});
}

TEST_CASE("a rename is seen at once and survives a crash only after its directory was synced") {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    SimDisk disk;
    disk.Put("/final", AsBytes("old"));
    disk.Put("/new", AsBytes("new"));
    REQUIRE(disk.Rename("/new", "/final") == 0);
    CHECK(AsText(disk.Content("/final").value()) == "new");
    CHECK_FALSE(disk.Content("/new").has_value());
    if (seed % 2 == 0) disk.Sync(*OpenAt(disk, "/", O_RDONLY));
    disk.Crash(rng);
    const std::string after(AsText(disk.Content("/final").value()));
    if (seed % 2 == 0) CHECK(after == "new");
    seen.insert(after);
    CHECK(disk.Content("/new").has_value() == (after == "old"));
  }
  CHECK(seen == std::set<std::string>{"old", "new"});
}

TEST_CASE("a renamed file that was not synced may be empty after a crash") {
  bool lost = false;
  for (uint64_t seed = 1; seed <= 200 && !lost; ++seed) {
    Rng rng(seed);
    SimDisk disk;
    disk.Put("/final", AsBytes("old"));
    const auto file = OpenAt(disk, "/new", O_RDWR | O_CREAT);
    disk.Write(*file, AsBytes("new"), 0);
    disk.Rename("/new", "/final");
    disk.Sync(*OpenAt(disk, "/", O_RDONLY));
    disk.Crash(rng);
    lost = disk.Content("/final").value().empty();
  }
  CHECK(lost);
}

TEST_CASE("what is below a directory goes with it, when it is renamed and when a crash undoes it") {
  Rng rng(1);
  SimDisk disk;
  REQUIRE(disk.MakeDirectory("/a") == 0);
  disk.Put("/a/file", AsBytes("x"));
  CHECK(disk.RemoveDirectory("/a") == -ENOTEMPTY);
  REQUIRE(disk.Rename("/a", "/b") == 0);
  CHECK(disk.Content("/b/file").has_value());
  std::vector<std::string> names;
  REQUIRE(disk.List("/", 10, names) == 0);
  CHECK(names == std::vector<std::string>{"b"});
  // The directory itself was never synced into its parent.
  bool gone = false;
  for (int i = 0; i < 100 && !gone; ++i) {
    SimDisk other;
    other.MakeDirectory("/a");
    other.Put("/a/file", AsBytes("x"));
    other.Crash(rng);
    gone = !other.Content("/a/file").has_value();
  }
  CHECK(gone);
}

TEST_CASE("a frozen disk changes nothing more") {
  SimDisk disk;
  disk.Put("/file", AsBytes("before"));
  const auto file = OpenAt(disk, "/file");
  disk.FreezeAfter(1);
  CHECK(disk.Write(*file, AsBytes("B"), 0) == 1);
  CHECK(disk.Write(*file, AsBytes("E"), 1) == -EIO);
  CHECK(disk.Sync(*file) == -EIO);
  CHECK(disk.Rename("/file", "/other") == -EIO);
  CHECK(disk.frozen());
  CHECK(AsText(disk.Content("/file").value()) == "Before");
}

}  // namespace
}  // namespace sluice::runtime
