// SPDX-License-Identifier: Apache-2.0
#include "api/json.h"

#include <catch2/catch.hpp>

namespace sluice::api {
namespace {

using namespace std::chrono_literals;

const MountInfo kMount{.image = "oci:/images/debian:lazy",
                       .mountpoint = "/mnt/ä",
                       .state = MountState::kMounted,
                       .blobs = {std::string(64, 'a'), std::string(64, 'b')},
                       .since = std::chrono::sys_seconds(1795248600s)};

Status MakeStatus() {
  Status status;
  status.version = "1.2.3";
  status.pid = 42;
  status.started = std::chrono::sys_seconds(1795248600s);
  status.engine = {"io_uring", "first choice"};
  status.frontend = {"fanotify", "Linux 6.18"};
  status.holder = {"self", ""};
  status.shards = 2;
  status.mounts = 1;
  status.cache_dir = "/var/lib/sluice/cache";
  status.cache_error = "no room";
  status.blobs = {{.id = std::string(64, 'a'),
                   .plain_bytes = UINT64_MAX,
                   .ready_bytes = 1,
                   .stored_bytes = 2,
                   .complete = true,
                   .references = 3}};
  status.counters = {
      .events = 1, .hits = 2, .misses = 3, .errors = 4, .fetched_stored_bytes = 5, .fetched_plain_bytes = 6};
  return status;
}

TEST_CASE("a mount has the documented JSON") {
  CHECK(Encode(kMount) == R"({"image":"oci:/images/debian:lazy","mountpoint":"/mnt/ä","state":"mounted",)"
                          R"("since":"2026-11-21T08:10:00Z","blobs":[")" +
                              std::string(64, 'a') + R"(",")" + std::string(64, 'b') + R"("]})");
}

TEST_CASE("what the daemon says reads back the same") {
  CHECK(ParseMountInfo(Encode(kMount)) == kMount);
  for (const MountState state : {MountState::kMounting, MountState::kMounted, MountState::kUnmounting}) {
    MountInfo mount = kMount;
    mount.state = state;
    CHECK(ParseMountInfo(Encode(mount)) == mount);
  }
  CHECK(ParseMounts(Encode(std::vector<MountInfo>{})).empty());
  CHECK(ParseMounts(Encode(std::vector<MountInfo>{kMount, kMount})) == std::vector<MountInfo>{kMount, kMount});
  CHECK(ParseStatus(Encode(MakeStatus())) == MakeStatus());
}

TEST_CASE("every kind of error reads back the same") {
  for (int code = 0; code <= static_cast<int>(Errc::kStopped); ++code) {
    const Error error = ParseError(Encode(Error(static_cast<Errc>(code), "why")));
    CHECK(static_cast<int>(error.code()) == code);
    CHECK(error.message() == "why");
  }
  CHECK(ParseError(R"({"code":"of-the-future","message":"why"})").code() == Errc::kIo);
}

TEST_CASE("an error message with bytes that are not UTF-8 is still JSON") {
  CHECK(ParseError(Encode(Error(Errc::kCorrupt, "file '\xff'"))).message() == "file '\xEF\xBF\xBD'");
}

TEST_CASE("a client skips what a newer daemon adds, and refuses what is missing or wrong") {
  CHECK(ParseMounts(R"({"mounts":[],"more":1})").empty());
  for (const std::string text :
       {"", "[]", "{}", R"({"mounts":1})", R"({"mounts":[{}]})", R"({"mounts":[]}x)",
        R"({"mounts":[{"image":"i","mountpoint":"/m","state":"lost","since":"2026-11-21T08:10:00Z","blobs":[]}]})",
        R"({"mounts":[{"image":"i","mountpoint":"/m","state":"mounted","since":"2026-02-30T08:10:00Z","blobs":[]}]})",
        R"({"mounts":[{"image":"i","mountpoint":"/m","state":"mounted","since":"now","blobs":[]}]})"}) {
    CAPTURE(text);
    try {
      ParseMounts(text);
      FAIL("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
    }
  }
}

TEST_CASE("a mount request reads back the same") {
  MountRequest request{.image = "oci:/a \"b\"\\", .mountpoint = "/m\n"};
  CHECK(ParseMountRequest(Encode(request)) == request);
  request.access = {.tls_verify = false,
                    .cert_dir = "/certs",
                    .auth_files = {"/a/auth.json", "/b/config.json"},
                    .credentials = Secret("user:hunter2"),
                    .backend_config = Secret("{\"type\": \"s3\"}")};
  CHECK(ParseMountRequest(Encode(request)) == request);
}

TEST_CASE("a mount request is refused unless it is exactly one") {
  const auto [name, text, message] = GENERATE(table<std::string, std::string, std::string>({
      {"empty", "", "parse error"},
      {"no object", "[]", "object"},
      {"cut off", R"({"image":"i","mountpoint":"/m")", "parse error"},
      {"trailing text", R"({"image":"i","mountpoint":"/m"}{})", "parse error"},
      {"no mountpoint", R"({"image":"i"})", "'mountpoint' is missing"},
      {"no image", R"({"mountpoint":"/m"})", "'image' is missing"},
      {"unknown field", R"({"image":"i","mountpoint":"/m","lazy":true})", "'lazy' is unknown"},
      {"wrong type", R"({"image":1,"mountpoint":"/m"})", "'image' is not a string"},
      {"null", R"({"image":"i","mountpoint":null})", "'mountpoint' is not a string"},
      {"empty image", R"({"image":"","mountpoint":"/m"})", "'image' is empty"},
      {"twice", R"({"image":"i","mountpoint":"/m","image":"j"})", "'image' stands twice"},
      {"zero byte", R"({"image":"i","mountpoint":"/m\u0000/n"})", "zero byte"},
      {"not UTF-8", "{\"image\":\"\xff\",\"mountpoint\":\"/m\"}", "parse error"},
      {"cut off in a secret", R"({"credentials":"hunter2)", "parse error"},
      {"secret twice", R"({"credentials":"a:hunter2","credentials":"a:hunter2"})", "'credentials' stands twice"},
      {"secret of another type", R"({"credentials":["hunter2"]})", "'credentials' is not a string"},
      {"relative cert_dir", R"({"cert_dir":"certs"})", "'cert_dir' is not an absolute path"},
      {"relative auth file", R"({"auth_files":["/a","b"]})", "'auth_files' is not an absolute path"},
      {"auth files of another type", R"({"auth_files":"/a"})", "'auth_files' is not an array"},
      {"tls_verify of another type", R"({"tls_verify":"no"})", "'tls_verify' is not a boolean"},
      {"deep", std::string(100'000, '['), "parse error"},
  }));
  CAPTURE(name);
  try {
    ParseMountRequest(text);
    FAIL("accepted");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kInvalidArgument);
    CHECK_THAT(e.message(), Catch::Contains(message));
    CHECK_THAT(e.message(), !Catch::Contains("hunter2"));
  }
}

TEST_CASE("a name that JSON cannot carry is refused before it is sent") {
  CHECK_THROWS_AS(Encode(MountRequest{.image = "oci:/\xff", .mountpoint = "/m"}), Error);
}

}  // namespace
}  // namespace sluice::api
