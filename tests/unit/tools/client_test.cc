// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "support/temporary_directory.h"

namespace sluice::tools {
namespace {

TEST_CASE("relative paths of a reference become absolute, tags and other references stay") {
  const std::string here = std::filesystem::current_path().string();
  const auto [image, absolute] = GENERATE_COPY(table<std::string, std::string>({
      {"oci:dir", "oci:" + here + "/dir"},
      {"oci:dir/sub:tag", "oci:" + here + "/dir/sub:tag"},
      {"oci:/dir:tag", "oci:/dir:tag"},
      {"rafs:image.boot", "rafs:" + here + "/image.boot"},
      {"rafs:/image.boot:blobs", "rafs:/image.boot:" + here + "/blobs"},
      {"rafs:image.boot:", "rafs:" + here + "/image.boot:"},
      {"docker://host:5000/name:tag", "docker://host:5000/name:tag"},
      {"oci:", "oci:"},
      {"dir", "dir"},
      {"", ""},
  }));
  CAPTURE(image);
  CHECK(AbsoluteReference(image) == absolute);
}

TEST_CASE("a mountpoint has one name, whatever way leads there") {
  const test::TemporaryDirectory directory;
  const std::filesystem::path root = std::filesystem::canonical(directory.path());
  std::filesystem::create_directory(root / "mnt");
  std::filesystem::create_symlink("mnt", root / "link");
  for (const std::string way : {"mnt", "mnt/", "./mnt/.", "link", "mnt/../link/"}) {
    CAPTURE(way);
    CHECK(CanonicalPath((root / way).string()) == (root / "mnt").string());
  }
  CHECK(CanonicalPath((root / "missing").string()) == (root / "missing").string());
  CHECK_THROWS_AS(CanonicalPath(""), Error);
}

TEST_CASE("a mountpoint is encoded into the target") {
  CHECK(MountTarget("/a b&c") == "/v1/mounts?mountpoint=%2Fa%20b%26c");
}

TEST_CASE("without a daemon the user is told what to do") {
  const test::TemporaryDirectory directory;
  const std::string socket = directory.path() + "/socket";
  try {
    AskDaemon(socket, "GET", "/v1/status");
    FAIL("answered");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kIo);
    CHECK_THAT(e.message(), Catch::Contains(socket) && Catch::Contains("start sluiced"));
  }
}

}  // namespace
}  // namespace sluice::tools
