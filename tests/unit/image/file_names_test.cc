// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/file_names.h"

#include <catch2/catch.hpp>

namespace sluice::image::rafs {
namespace {

// What is known by `key`, in any folder.
std::vector<FileNames::Name> Find(const FileNames& names, NameKey key) {
  std::vector<FileNames::Name> found;
  for (const auto& name : names.names)
    if (name.key == key) found.push_back(name);
  return found;
}

constexpr uint32_t kRoot = 10, kLib = 11, kPackage = 12, kCompiled = 13;

}  // namespace

TEST_CASE("libraries and modules are found by the names that others have for them") {
  FileNamesBuilder builder(2);
  builder.BeginDirectory(kRoot, kRoot, "");
  builder.Add("README.txt", {{0, 0}});
  builder.BeginDirectory(kLib, kRoot, "lib");
  builder.Add("libz.so.1.2", {{0, 1}, {0, 2}, {1, 3}});
  builder.Add("enum.py", {{1, 5}});
  builder.Add("empty.py", {});
  builder.Add("hole.py", {FileChunk{}});
  builder.BeginDirectory(kPackage, kLib, "json");
  builder.Add("__init__.py", {{1, 4}});
  builder.BeginDirectory(kCompiled, kPackage, "__pycache__");
  builder.Add("__init__.cpython-311.pyc", {{1, 7}});
  builder.Add("scanner.cpython-311.pyc", {{1, 6}});
  const std::vector<FileNames> blobs = std::move(builder).Take();
  REQUIRE(blobs.size() == 2);

  CHECK(Find(blobs[0], LibraryKey("libz")) ==
        std::vector{FileNames::Name{.key = LibraryKey("libz"), .folder = kLib, .first = 1, .chunks = 2}});
  CHECK(Find(blobs[0], ModuleKey("libz")).size() == 1);  // also modules are built as libraries
  CHECK(blobs[0].names.size() == 2);
  CHECK(blobs[0].modules.empty());

  CHECK(Find(blobs[1], ModuleKey("enum")).size() == 1);
  CHECK(Find(blobs[1], ModuleKey("json")) ==
        std::vector{FileNames::Name{.key = ModuleKey("json"), .folder = kLib, .first = 4, .chunks = 1},
                    FileNames::Name{.key = ModuleKey("json"), .folder = kLib, .first = 7, .chunks = 1}});
  CHECK(Find(blobs[1], ModuleKey("scanner"))[0].folder == kPackage);
  CHECK(blobs[1].modules == std::vector<FileNames::Module>{{ModuleKey("json"), 4, kPackage, kLib},
                                                           {ModuleKey("enum"), 5, kLib, kRoot},
                                                           {ModuleKey("scanner"), 6, kPackage, kLib},
                                                           {ModuleKey("json"), 7, kPackage, kLib}});
  CHECK(std::is_sorted(blobs[1].names.begin(), blobs[1].names.end(),
                       [](const auto& a, const auto& b) { return a.key < b.key; }));
}

}  // namespace sluice::image::rafs
