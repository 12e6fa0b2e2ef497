// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/chunk_groups.h"

#include <catch2/catch.hpp>

#include "image/rafs/bootstrap_builder.h"
#include "image/rafs/bootstrap_reader.h"
#include "unit/image/sample.h"

namespace sluice::image::rafs {
namespace {

using Groups = std::vector<std::vector<uint32_t>>;

std::vector<Blob> BlobsOf(std::vector<size_t> chunk_counts) {
  std::vector<Blob> blobs;
  for (const size_t count : chunk_counts) {
    Blob blob{.id = BlobId::Parse(std::string(64, 'a'))};
    blob.chunks.resize(count);
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

}  // namespace

TEST_CASE("the small files of a folder are a group, a file of several chunks is one of its own") {
  ChunkGroups groups(BlobsOf({8}));
  groups.BeginDirectory();
  groups.Add({{0, 0}});
  groups.Add({{0, 1}, {0, 2}});
  groups.Add({{0, 3}});
  groups.BeginDirectory();
  groups.Add({{0, 4}});
  groups.Add({{0, 5}, {}, {0, 6}});
  CHECK(std::move(groups).Take() == Groups{{1, 2, 2, 1, 3, 4, 4, ChunkGroups::kNoFile}});
}

TEST_CASE("a chunk of several files stays in the group of the first, holes and empty files are in none") {
  ChunkGroups groups(BlobsOf({2}));
  groups.BeginDirectory();
  groups.Add({});
  groups.Add({{}, {}});
  groups.Add({{0, 0}});
  groups.BeginDirectory();
  groups.Add({{0, 0}});
  groups.Add({{0, 1}});
  CHECK(std::move(groups).Take() == Groups{{1, 2}});
}

TEST_CASE("each blob numbers its groups by itself, without gaps") {
  ChunkGroups groups(BlobsOf({2, 3, 0}));
  groups.BeginDirectory();
  groups.Add({{1, 0}});
  groups.BeginDirectory();
  groups.Add({{0, 0}, {1, 1}});
  groups.Add({{1, 2}});
  groups.Add({{0, 1}});
  CHECK(std::move(groups).Take() == Groups{{1, 2}, {1, 2, 3}, {}});
}

TEST_CASE("a bootstrap tells the groups of its chunks") {
  const BootstrapSummary summary = ValidateBootstrap(BuildBootstrap(SampleImage()));
  REQUIRE(summary.advice.size() == 2);
  const auto& first = summary.advice[0].groups;
  REQUIRE(first.size() == 8);
  // "file" has chunks 0 to 2, "sparse" chunks 3 and 4 and one of the other blob; nothing uses 5 to 7.
  CHECK(first[0] != ChunkGroups::kNoFile);
  CHECK(first[1] == first[0]);
  CHECK(first[2] == first[0]);
  CHECK(first[3] != first[0]);
  CHECK(first[4] == first[3]);
  CHECK(first[5] == ChunkGroups::kNoFile);
  const auto& second = summary.advice[1].groups;
  REQUIRE(second.size() == 2);
  CHECK(second[0] != second[1]);  // of "sparse", of the folder of "inner"
}

}  // namespace sluice::image::rafs
