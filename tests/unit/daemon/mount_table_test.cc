// SPDX-License-Identifier: Apache-2.0
#include "mount_table.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "durable_file.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

MountRecord Record(const std::string& path) {
  return {.image = "oci:/images/np:latest",
          .mountpoint = path + "/.",
          .path = path,
          .since = std::chrono::sys_seconds(std::chrono::seconds(1'795'000'000)),
          .bootstrap = DigestOf(DigestAlgorithm::kSha256, AsBytes("bootstrap")),
          .blob_directory = "/images/np/blobs/sha256",
          .inlined_id = std::nullopt};
}

TEST_CASE("a record survives being written and read, with and without an inlined id") {
  MountRecord record = Record("/mnt/\"quoted\" \\ path");
  CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
  record.inlined_id = BlobId::Parse(std::string(64, 'a'));
  CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
}

TEST_CASE("the table gives back what was put and not removed, sorted by path") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  CHECK(table.Load().empty());
  table.Put(Record("/b"));
  table.Put(Record("/a"));
  table.Put(Record("/c"));
  table.Remove(Record("/c"));
  table.Remove(Record("/c"));
  CHECK(MountTable(directory / "mounts").Load() == std::vector{Record("/a"), Record("/b")});
}

TEST_CASE("what is mounted where something was mounted before has a record of its own") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  const MountRecord before = Record("/a");
  MountRecord after = before;
  after.since += std::chrono::hours(1);
  table.Put(before);
  table.Put(after);
  CHECK(table.Load() == std::vector{after, before});
  table.Remove(before);
  CHECK(table.Load() == std::vector{after});
}

TEST_CASE("a record that could not be read back is not written") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  CHECK_THROWS_AS(table.Put(Record("/" + std::string(40'000, 'a'))), Error);
  CHECK(table.Load().empty());
}

TEST_CASE("the temporary file of a worker that was killed is no record") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  WriteDurably(directory / "mounts/1234.json.new", AsBytes("{\"ver"));
  CHECK(table.Load().empty());
}

TEST_CASE("a record that cannot be read is an error, not a mount that is forgotten") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  WriteDurably(directory / "mounts/1234.json", AsBytes("{\"version\":1"));
  CHECK_THROWS_AS(table.Load(), Error);
}

TEST_CASE("a record with a field missing, wrong or unknown names it") {
  const auto check = [](const std::string& from, const std::string& to, const std::string& named) {
    std::string text = FormatMountRecord(Record("/a"));
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    CHECK_THROWS_WITH(ParseMountRecord(text, "record"), Catch::Contains(named));
  };
  check("\"path\": ", "\"pfad\": ", "'path' is missing");
  check("\"version\": 1", "\"version\": 2", "version 2");
  check("\"version\": 1", "\"version\": \"1\"", "'version' has the wrong type");
  check("\"version\": 1", "\"version\": 1, \"more\": 0", "unknown field 'more'");
  check("\"bootstrap\": \"", "\"bootstrap\": \"../", "record");
  check("{", "[", "record");
}

}  // namespace
}  // namespace sluice::daemon
