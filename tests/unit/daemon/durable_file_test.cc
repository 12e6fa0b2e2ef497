// SPDX-License-Identifier: Apache-2.0
#include "durable_file.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "image_store.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

TEST_CASE("a file is replaced as a whole and leaves no temporary name") {
  test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  WriteDurably(path, AsBytes("a longer first content"));
  WriteDurably(path, AsBytes("second"));
  CHECK(AsText(ReadWholeFile(path, 100)) == "second");
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("a write that fails leaves the old content and no temporary name") {
  test::TemporaryDirectory directory;
  const std::string path = directory / "file";
  std::filesystem::create_directories(path + "/not empty");
  CHECK_THROWS_AS(WriteDurably(path, AsBytes("content")), Error);
  CHECK(std::filesystem::is_directory(path));
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("a file above the limit is not read") {
  test::TemporaryDirectory directory;
  WriteDurably(directory / "file", AsBytes("12345"));
  CHECK_THROWS_AS(ReadWholeFile(directory / "file", 4), Error);
  CHECK(ReadWholeFile(directory / "file", 5).size() == 5);
  CHECK_THROWS_AS(ReadWholeFile(directory.path(), 1 << 20), Error);
}

TEST_CASE("directories are made with their parents, twice is no error") {
  test::TemporaryDirectory directory;
  MakeDirectories(directory / "a/b/c");
  MakeDirectories(directory / "a/b/c");
  CHECK(std::filesystem::is_directory(directory / "a/b/c"));
  WriteDurably(directory / "a/file", AsBytes("x"));
  CHECK_THROWS_AS(MakeDirectories(directory / "a/file/b"), Error);
}

TEST_CASE("removing what is gone is no error") {
  test::TemporaryDirectory directory;
  WriteDurably(directory / "file", AsBytes("x"));
  RemoveDurably(directory / "file");
  RemoveDurably(directory / "file");
  CHECK_FALSE(std::filesystem::exists(directory / "file"));
}

TEST_CASE("a bootstrap is stored once under its digest, and one that changed on disk is refused") {
  test::TemporaryDirectory directory;
  const ImageStore store(directory / "images");
  const Digest digest = store.Put(AsBytes("bootstrap"));
  CHECK(digest == DigestOf(DigestAlgorithm::kSha256, AsBytes("bootstrap")));
  const auto written = std::filesystem::last_write_time(store.PathOf(digest));
  CHECK(store.Put(AsBytes("bootstrap")) == digest);
  CHECK(std::filesystem::last_write_time(store.PathOf(digest)) == written);
  CHECK(AsText(store.Get(digest)) == "bootstrap");
  WriteDurably(store.PathOf(digest), AsBytes("bootstrap with a flipped bit"));
  CHECK_THROWS_AS(store.Get(digest), Error);
}

}  // namespace
}  // namespace sluice::daemon
