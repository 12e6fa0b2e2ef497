// SPDX-License-Identifier: Apache-2.0
#include "oci/directory_layer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "support/temporary_directory.h"

namespace sluice::oci {
namespace {

using test::TemporaryDirectory;

void WriteFile(const std::string& path, std::string_view text, off_t offset = 0, off_t size = 0) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  REQUIRE(fd);
  REQUIRE(::pwrite(fd.get(), text.data(), text.size(), offset) == static_cast<ssize_t>(text.size()));
  if (size > 0) REQUIRE(::ftruncate(fd.get(), size) == 0);
}

struct Walked {
  std::vector<std::string> names;
  std::map<std::string, LayerEntry> entries;
  std::map<std::string, std::string> data;       // holes left out
  std::map<std::string, uint64_t> first_offset;  // of the data
};

Walked Walk(const std::string& path) {
  Walked walked;
  const auto reader = OpenDirectoryLayer(path);
  while (const auto entry = reader->Next()) {
    const std::string name = entry->Name();
    walked.names.push_back(name);
    walked.entries.emplace(name, *entry);
    while (const auto piece = reader->NextData()) {
      walked.first_offset.try_emplace(name, piece->offset);
      walked.data[name] += AsText(piece->bytes);
    }
  }
  return walked;
}

}  // namespace

TEST_CASE("a directory tree is walked in byte order, each directory before what is in it") {
  const TemporaryDirectory directory;
  const std::string root = directory.path();
  for (const char* name : {"/b", "/b/d", "/b/c", "/a"}) REQUIRE(::mkdir((root + name).c_str(), 0755) == 0);
  WriteFile(root + "/b/c/x", "content");
  WriteFile(root + "/b.txt", "");
  WriteFile(root + "/\xFF raw", "");
  const Walked walked = Walk(root);
  CHECK(walked.names == std::vector<std::string>{".", "a", "b", "b/c", "b/c/x", "b/d", "b.txt", "\xFF raw"});
  CHECK(walked.entries.at(".").path.empty());
  CHECK(walked.data.at("b/c/x") == "content");
}

TEST_CASE("files of a directory tree come with their attributes") {
  const TemporaryDirectory directory;
  const std::string root = directory.path();
  WriteFile(root + "/file", "x");
  REQUIRE(::chmod((root + "/file").c_str(), 04711) == 0);
  const timespec times[2] = {{0, UTIME_OMIT}, {-2, 750'000'000}};
  REQUIRE(::utimensat(AT_FDCWD, (root + "/file").c_str(), times, 0) == 0);
  REQUIRE(::link((root + "/file").c_str(), (root + "/hard").c_str()) == 0);
  REQUIRE(::symlink("/etc/passwd", (root + "/soft").c_str()) == 0);
  REQUIRE(::mkfifo((root + "/pipe").c_str(), 0600) == 0);
  const Walked walked = Walk(root);

  const LayerEntry& file = walked.entries.at("file");
  CHECK(file.type == EntryType::kRegular);
  CHECK(file.permissions == 04711);
  CHECK(file.uid == ::geteuid());
  CHECK(file.mtime_seconds == -2);
  CHECK(file.mtime_nanoseconds == 750'000'000);
  CHECK(file.size == 1);
  CHECK(walked.entries.at("hard").type == EntryType::kHardLink);
  CHECK(walked.entries.at("hard").link_path == std::vector<std::string>{"file"});
  CHECK(walked.entries.at("soft").type == EntryType::kSymlink);
  CHECK(walked.entries.at("soft").symlink_target == "/etc/passwd");
  CHECK(walked.entries.at("pipe").type == EntryType::kFifo);
}

TEST_CASE("extended attributes are read where the file system has them, also of what cannot be opened") {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/file";
  WriteFile(file, "x");
  const std::string value("v\0w", 3);
  if (::setxattr(file.c_str(), "user.name", value.data(), value.size(), 0) != 0) {
    WARN("skipped: no user attributes in the temporary directory");
    return;
  }
  const Walked walked = Walk(directory.path());
  CHECK(walked.entries.at("file").xattrs.at("user.name") == value);
}

TEST_CASE("holes of a file in a directory tree stay holes") {
  const TemporaryDirectory directory;
  const std::string root = directory.path();
  WriteFile(root + "/hole", "", 0, 1 << 20);
  WriteFile(root + "/tail", "data", 1 << 20, 2 << 20);
  const Walked walked = Walk(root);
  CHECK(walked.entries.at("hole").size == 1 << 20);
  CHECK_FALSE(walked.data.contains("hole"));
  CHECK(walked.entries.at("tail").size == 2 << 20);
  // The file system's granule decides how exact the hole is.
  CHECK(walked.first_offset.at("tail") > 0);
  CHECK(walked.data.at("tail").find("data") == (1 << 20) - walked.first_offset.at("tail"));
  CHECK(walked.data.at("tail").size() < 1 << 20);
}

TEST_CASE("a tree deeper than there are descriptors is walked") {
  const TemporaryDirectory directory;
  std::string path = directory.path();
  for (int depth = 0; depth < 200; ++depth) {
    path += "/d";
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
  }
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few{32, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  size_t count = 0;
  std::string failure;
  try {
    count = Walk(directory.path()).names.size();
  } catch (const Error& e) {
    failure = e.message();
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(failure.empty());
  CHECK(count == 201);
}

TEST_CASE("what is no directory, and names of whiteouts, are refused") {
  const TemporaryDirectory directory;
  CHECK_THROWS_AS(OpenDirectoryLayer(directory.path() + "/none"), Error);
  WriteFile(directory.path() + "/file", "");
  CHECK_THROWS_AS(OpenDirectoryLayer(directory.path() + "/file"), Error);
  WriteFile(directory.path() + "/.wh.file", "");
  CHECK_THROWS_WITH(Walk(directory.path()), Catch::Contains(".wh.file"));
}

}  // namespace sluice::oci
