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
          .backend = DirectorySpec{"/images/np/blobs/sha256"},
          .inlined_id = std::nullopt};
}

TEST_CASE("a record survives being written and read, with and without an inlined id") {
  MountRecord record = Record("/mnt/\"quoted\" \\ path");
  CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
  record.inlined_id = BlobId::Parse(std::string(64, 'a'));
  CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
}

TEST_CASE("a record of a binding keeps its names, with and without a domain") {
  MountRecord record = Record("");
  record.mountpoint.clear();
  record.fsid = "debian-12";
  CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
  record.domain = "base";
  CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
}

MountRecord RemoteRecord(const std::string& path) {
  MountRecord record = Record(path);
  record.backend = RegistrySpec{.repository = "registry.test:5000/team/image",
                                .tls_verify = false,
                                .cert_dir = "/etc/certs",
                                .auth_files = {"/root/.docker/config.json"},
                                .has_credentials = true};
  return record;
}

TEST_CASE("a record survives with every kind of backend") {
  for (const BackendSpec& backend :
       {BackendSpec(DirectorySpec{"/blobs"}), RemoteRecord("/a").backend,
        BackendSpec(RegistrySpec{.repository = "host/name"}), BackendSpec(ConfiguredSpec{})}) {
    MountRecord record = Record("/mnt");
    record.backend = backend;
    CHECK(ParseMountRecord(FormatMountRecord(record), "record") == record);
  }
}

TEST_CASE("secrets are kept in a file of their own that only root can read, and go with their record") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  const MountRecord record = RemoteRecord("/a");
  const BackendSecrets secrets{.credentials = Secret("user:hunter2"), .configuration = Secret()};
  table.Put(record, secrets);
  CHECK(table.Load() == std::vector{record});
  CHECK(table.LoadSecrets(record) == secrets);
  CHECK(table.LoadSecrets(Record("/a")) == BackendSecrets{});
  for (const auto& entry : std::filesystem::directory_iterator(directory / "mounts")) {
    const auto content = ReadWholeFile(entry.path().string(), 10'000);
    const bool told = AsText(content).find("hunter2") != std::string_view::npos;
    CHECK(told == (entry.path().extension() == ".secrets"));
    CHECK(entry.status().permissions() == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  }
  table.Remove(record);
  CHECK(std::filesystem::is_empty(directory / "mounts"));
}

TEST_CASE("secrets whose record was never written are removed") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  WriteDurably(directory / "mounts/1234.secrets", AsBytes("{}"));
  CHECK(table.Load().empty());
  CHECK(std::filesystem::is_empty(directory / "mounts"));
}

TEST_CASE("secrets that cannot be read are not told in the error") {
  const auto message = [](const std::string& text) {
    try {
      ParseSecrets(text, "secrets");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::kCorrupt);
      return error.message();
    }
    return std::string("no error");
  };
  CHECK(message("{\"credentials\": \"hunter2\", ") == "secrets: not JSON");
  CHECK(message("{\"credentials\": [\"hunter2\"], \"configuration\": \"\"}") ==
        "secrets: 'credentials' has the wrong type");
  CHECK(message("{\"credentials\": \"hunter2\"}") == "secrets: 'configuration' is missing");
}

TEST_CASE("a record of version 1 is read, written anew and can be removed") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  const std::string old = R"({"version": 1, "image": "oci:/i", "mountpoint": "/a", "path": "/a", "since": 1795000000,)"
                          R"( "bootstrap": ")" +
                          std::string(64, 'b') + R"(", "blob_directory": "/i/blobs/sha256"})";
  WriteDurably(directory / "mounts/1234.json", AsBytes(old));
  const auto records = table.Load();
  REQUIRE(records.size() == 1);
  CHECK(records[0].backend == BackendSpec(DirectorySpec{"/i/blobs/sha256"}));
  CHECK(table.Load() == records);
  table.Remove(records[0]);
  CHECK(std::filesystem::is_empty(directory / "mounts"));
}

TEST_CASE("the table gives back what was put and not removed, sorted by path") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  CHECK(table.Load().empty());
  table.Put(Record("/b"), {});
  table.Put(Record("/a"), {});
  table.Put(Record("/c"), {});
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
  table.Put(before, {});
  table.Put(after, {});
  CHECK(table.Load() == std::vector{after, before});
  table.Remove(before);
  CHECK(table.Load() == std::vector{after});
}

TEST_CASE("a record that could not be read back is not written") {
  test::TemporaryDirectory directory;
  const MountTable table(directory / "mounts");
  CHECK_THROWS_AS(table.Put(Record("/" + std::string(40'000, 'a')), {}), Error);
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
  check("\"version\": 2", "\"version\": 3", "version 3");
  check("\"version\": 2", "\"version\": \"2\"", "'version' has the wrong type");
  check("\"version\": 2", "\"version\": 2, \"more\": 0", "unknown field 'more'");
  check("\"type\": \"directory\"", "\"type\": \"drawer\"", "type 'drawer' is unknown");
  check("\"path\": \"/images", "\"path\": 1, \"x\": \"/images", "'path' has the wrong type");
  check("\"bootstrap\": \"", "\"bootstrap\": \"../", "record");
  check("{", "[", "record");
}

}  // namespace
}  // namespace sluice::daemon
