// SPDX-License-Identifier: Apache-2.0
#include "image/tree.h"

#include <catch2/catch.hpp>

namespace sluice::image {

TEST_CASE("a new tree is an empty root directory") {
  const Tree tree;
  CHECK(tree.size() == 1);
  CHECK(tree.Get(tree.root()).type == FileType::kDirectory);
  CHECK(tree.Get(tree.root()).permissions == 0755);
  CHECK(tree.CountLinks() == std::vector<uint32_t>{2});
}

TEST_CASE("links are counted from the root: names for files, subdirectories for directories") {
  Tree tree;
  const InodeId dir = tree.Add({.type = FileType::kDirectory});
  const InodeId sub = tree.Add({.type = FileType::kDirectory});
  const InodeId file = tree.Add({});
  const InodeId orphan = tree.Add({});
  tree.Get(tree.root()).entries = {{"dir", dir}, {"one", file}};
  tree.Get(dir).entries = {{"sub", sub}, {"two", file}};
  tree.Get(sub).entries = {{"three", file}};
  const auto links = tree.CountLinks();
  CHECK(links[static_cast<size_t>(tree.root())] == 3);
  CHECK(links[static_cast<size_t>(dir)] == 3);
  CHECK(links[static_cast<size_t>(sub)] == 2);
  CHECK(links[static_cast<size_t>(file)] == 3);
  CHECK(links[static_cast<size_t>(orphan)] == 0);
}

TEST_CASE("counting the links of a tree with a loop ends") {
  Tree tree;
  const InodeId dir = tree.Add({.type = FileType::kDirectory});
  tree.Get(tree.root()).entries = {{"dir", dir}};
  tree.Get(dir).entries = {{"loop", tree.root()}, {"self", dir}};
  CHECK(tree.CountLinks()[static_cast<size_t>(dir)] == 4);
}

}  // namespace sluice::image
