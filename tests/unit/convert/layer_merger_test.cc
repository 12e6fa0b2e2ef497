// SPDX-License-Identifier: Apache-2.0
#include "convert/layer_merger.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "unit/convert/layers.h"

namespace sluice::convert {
namespace {

using image::Tree;
using oci::EntryType;
using oci::LayerEntry;
using test::Dir;
using test::Entry;
using test::File;
using test::HardLink;
using test::Lines;
using test::Symlink;
using test::Whiteout;

using Layers = std::vector<std::vector<LayerEntry>>;

Tree Merge(const Layers& layers) {
  Tree tree;
  LayerMerger merger(tree);
  for (const auto& layer : layers) {
    merger.BeginLayer();
    for (const LayerEntry& entry : layer) merger.Apply(entry);
  }
  return tree;
}

struct Case {
  const char* name;
  Layers layers;
  std::vector<std::string> expected;
};

const std::vector<Case> kCases = {
    {"a missing parent is made", {{File("a/b/f", 3)}}, {"d+ a", "d+ a/b", "- a/b/f 3"}},
    {"a parent that comes later keeps what is in it", {{File("a/f", 3), Dir("a")}}, {"d a", "- a/f 3"}},
    {"the later entry wins", {{File("f", 1), File("f", 2)}}, {"- f 2"}},
    {"an upper file replaces a lower one", {{File("f", 1)}, {File("f", 2)}}, {"- f 2"}},
    {"an upper directory joins a lower one",
     {{Dir("a"), File("a/f")}, {Dir("a"), File("a/g")}},
     {"d a", "- a/f 0", "- a/g 0"}},
    {"a file replaces a directory and all below", {{Dir("a"), File("a/f")}, {File("a", 7)}}, {"- a 7"}},
    {"a directory replaces a file", {{File("a", 7)}, {Dir("a"), File("a/f")}}, {"d a", "- a/f 0"}},
    {"a file in the way of a parent is replaced", {{File("a", 7)}, {File("a/f", 1)}}, {"d+ a", "- a/f 1"}},
    {"a directory replaces a link to a directory",
     {{Dir("d"), File("d/f"), Symlink("s", "d")}, {Dir("s"), File("s/g")}},
     {"d d", "- d/f 0", "d s", "- s/g 0"}},

    {"parents are found through links",
     {{Dir("d"), Symlink("s", "d")}, {File("s/f", 1)}},
     {"d d", "- d/f 1", "l s -> d"}},
    {"an absolute link starts at the root",
     {{Dir("d"), Dir("x"), Symlink("x/s", "/d")}, {File("x/s/f")}},
     {"d d", "- d/f 0", "d x", "l x/s -> /d"}},
    {"a link never leaves the root",
     {{Dir("d"), Symlink("d/s", "../../../../etc")}, {File("d/s/passwd", 1)}},
     {"d d", "l d/s -> ../../../../etc", "d+ etc", "- etc/passwd 1"}},
    {"a link to nothing makes its target",
     {{Symlink("s", "a/b")}, {File("s/f")}},
     {"d+ a", "d+ a/b", "- a/b/f 0", "l s -> a/b"}},
    {"a link in the middle of a link is followed",
     {{Dir("r"), Symlink("p", "r"), Symlink("q", "p/x")}, {File("q/f")}},
     {"l p -> r", "l q -> p/x", "d r", "d+ r/x", "- r/x/f 0"}},
    {"the last component is not followed", {{Dir("d"), Symlink("s", "d")}, {File("s", 5)}}, {"d d", "- s 5"}},

    {"a whiteout removes a file", {{File("f"), File("g")}, {Whiteout(".wh.f")}}, {"- g 0"}},
    {"a whiteout removes a directory and all below", {{Dir("a"), Dir("a/b"), File("a/b/f")}, {Whiteout(".wh.a")}}, {}},
    {"a whiteout of nothing is ignored", {{File("f")}, {Whiteout(".wh.g"), Whiteout("x/y/.wh.g")}}, {"- f 0"}},
    {"a whiteout keeps its own layer's file, before", {{File("f", 1)}, {File("f", 2), Whiteout(".wh.f")}}, {"- f 2"}},
    {"a whiteout keeps its own layer's file, after", {{File("f", 1)}, {Whiteout(".wh.f"), File("f", 2)}}, {"- f 2"}},
    {"a whiteout of a directory keeps what its own layer put there",
     {{Dir("a"), File("a/old"), Dir("a/sub"), File("a/sub/old")}, {File("a/sub/new"), Whiteout(".wh.a")}},
     {"d a", "d a/sub", "- a/sub/new 0"}},
    {"a whiteout goes through links",
     {{Dir("d"), File("d/f"), Symlink("s", "d")}, {Whiteout("s/.wh.f")}},
     {"d d", "l s -> d"}},
    {"a whiteout of a link leaves its target",
     {{Dir("d"), File("d/f"), Symlink("s", "d")}, {Whiteout(".wh.s")}},
     {"d d", "- d/f 0"}},
    {"a whiteout counts in its own layer only", {{File("f")}, {Whiteout(".wh.f")}, {File("f", 3)}}, {"- f 3"}},
    {"what an upper layer touched is lower to the next", {{File("f")}, {File("f", 2)}, {Whiteout(".wh.f")}}, {}},
    {"a whiteout of one hard link leaves the other",
     {{File("f", 4), HardLink("g", "f")}, {Whiteout(".wh.f")}},
     {"- g 4"}},

    {"an opaque mark hides lower entries, before",
     {{Dir("a"), File("a/old")}, {Whiteout("a/.wh..wh..opq"), File("a/new")}},
     {"d a", "- a/new 0"}},
    {"an opaque mark hides lower entries, after",
     {{Dir("a"), File("a/old")}, {File("a/new"), Whiteout("a/.wh..wh..opq")}},
     {"d a", "- a/new 0"}},
    {"an opaque mark reaches down beside new entries",
     {{Dir("a"), Dir("a/b"), File("a/b/old")}, {File("a/b/new"), Whiteout("a/.wh..wh..opq")}},
     {"d a", "d a/b", "- a/b/new 0"}},
    {"an opaque root hides everything below",
     {{File("f"), Dir("a")}, {Whiteout(".wh..wh..opq"), File("g")}},
     {"- g 0"}},
    {"an opaque mark in no directory is ignored",
     {{File("f")}, {Whiteout("a/.wh..wh..opq"), Whiteout("f/.wh..wh..opq")}},
     {"- f 0"}},
    {"AUFS metadata are skipped",
     {{File(".wh..wh.aufs"), Dir(".wh..wh.plnk"), File(".wh..wh.plnk/1.2"), File("f")}},
     {"- f 0"}},

    {"hard links share an inode", {{File("f", 4), HardLink("a/g", "f")}}, {"d+ a", "- a/g 4", "- f 4 =a/g"}},
    {"a hard link reaches a lower layer", {{File("f", 4)}, {HardLink("g", "f")}}, {"- f 4", "- g 4 =f"}},
    {"a hard link to a link is another name of the link",
     {{Symlink("s", "x"), HardLink("t", "s")}},
     {"l s -> x", "l t -> x =s"}},
    {"a hard link's target is found through links",
     {{Dir("d"), File("d/f", 2), Symlink("s", "d"), HardLink("g", "s/f")}},
     {"d d", "- d/f 2", "- g 2 =d/f", "l s -> d"}},
    {"replacing one hard link leaves the other",
     {{File("f", 4), HardLink("g", "f")}, {File("f", 9)}},
     {"- f 9", "- g 4"}},
    {"a hard link replaces what has its name",
     {{File("f", 4), Dir("g"), File("g/x")}, {HardLink("g", "f")}},
     {"- f 4", "- g 4 =f"}},
};

TEST_CASE("layers merge into the tree that an unpacker makes") {
  for (const Case& test : kCases) {
    INFO(test.name);
    CHECK(Lines(Merge(test.layers)) == test.expected);
  }
}

std::string ErrorOf(const Layers& layers) {
  try {
    Merge(layers);
  } catch (const Error& error) {
    return std::string(Name(error.code())) + ": " + error.message();
  }
  return "no error";
}

LayerEntry Device(uint32_t major, uint32_t minor) {
  LayerEntry entry = Entry(EntryType::kCharDevice, "dev");
  entry.device_major = major;
  entry.device_minor = minor;
  return entry;
}

LayerEntry WithXattr(std::string name, std::string value) {
  LayerEntry entry = File("f");
  entry.xattrs.emplace(std::move(name), std::move(value));
  return entry;
}

TEST_CASE("what a layer must not say is an error that gives the reason") {
  struct Refused {
    Layers layers;
    std::string reason;
  };
  // Each link leads a thousand directories further down.
  std::string down;
  for (int i = 0; i < 1000; ++i) down += "d/";
  const std::vector<LayerEntry> deep = {Symlink("s", down), Symlink("t", "s/" + down), Symlink("u", "t/" + down),
                                        File("u/f")};
  const std::vector<Refused> cases = {
      {{{File("")}}, "corrupt: the root is not a directory"},
      {{{Symlink("", "x")}}, "corrupt: the root is not a directory"},
      {{{HardLink("g", "f")}}, "corrupt: a hard link to 'f', which does not exist in this layer or below"},
      {{{HardLink("g", "f"), File("f")}}, "corrupt: a hard link to 'f', which does not exist in this layer or below"},
      {{{File("f"), HardLink("f", "f")}}, "corrupt: a hard link to 'f', which does not exist in this layer or below"},
      {{{File("f"), HardLink("g", "f/x")}},
       "corrupt: a hard link to 'f/x', which does not exist in this layer or below"},
      {{{Dir("d"), HardLink("g", "d")}}, "corrupt: a hard link to the directory 'd'"},
      {{{Whiteout("a/.wh.")}}, "corrupt: a whiteout of ''"},
      {{{Whiteout(".wh..")}}, "corrupt: a whiteout of '.'"},
      {{{Whiteout(".wh...")}}, "corrupt: a whiteout of '..'"},
      {{{Symlink("a", "b"), Symlink("b", "a"), File("a/f")}}, "corrupt: more than 255 symbolic links"},
      {{{Symlink("a", "a/x"), File("a/f")}}, "corrupt: more than 255 symbolic links"},
      {{deep}, "limit: deeper than 2048 directories"},
      {{{Device(4096, 0)}}, "unsupported: device number 4096:0 is above 4095:1048575"},
      {{{Device(1, 1 << 20)}}, "unsupported: device number 1:1048576 is above 4095:1048575"},
      {{{WithXattr("user.x", std::string(65536, 'v'))}},
       "limit: xattr 'user.x': name of 1 bytes and value of 65536 bytes; EROFS has room for 255 and 65535"},
  };
  for (const Refused& test : cases) CHECK(ErrorOf(test.layers) == test.reason);
}

TEST_CASE("attributes come from the entry that was applied last") {
  LayerEntry first = Dir("d");
  first.uid = 7;
  first.xattrs = {{"user.a", "1"}};
  LayerEntry second = Dir("d");
  second.uid = 0xFFFFFFFE;
  second.gid = 5;
  second.permissions = 01777;
  second.mtime_seconds = -3;
  second.mtime_nanoseconds = 999999999;
  second.xattrs = {{"security.capability", std::string("\1\0\2", 3)}};
  const Tree tree = Merge({{first, File("d/f")}, {second}});
  const image::Inode& inode = tree.Get(tree.Get(tree.root()).entries.at("d"));
  CHECK(inode.uid == 0xFFFFFFFE);
  CHECK(inode.gid == 5);
  CHECK(inode.permissions == 01777);
  CHECK(inode.mtime == image::Timestamp{-3, 999999999});
  CHECK(inode.xattrs == second.xattrs);
  CHECK(inode.entries.contains("f"));
}

TEST_CASE("the root takes attributes and keeps its entries") {
  LayerEntry root = Dir("");
  root.permissions = 0700;
  root.gid = 3;
  const Tree tree = Merge({{File("f"), root}});
  CHECK(tree.Get(tree.root()).permissions == 0700);
  CHECK(tree.Get(tree.root()).gid == 3);
  CHECK(tree.Get(tree.root()).entries.size() == 1);
  // Nobody gave it a time in this image.
  const Tree bare = Merge({{File("f")}});
  CHECK(bare.Get(bare.root()).mtime == image::Timestamp{});
  CHECK(bare.Get(bare.root()).permissions == 0755);
}

TEST_CASE("a symbolic link has the permissions that Linux gives it") {
  const Tree tree = Merge({{Symlink("s", "x")}});
  CHECK(tree.Get(tree.Get(tree.root()).entries.at("s")).permissions == 0777);
}

TEST_CASE("only new regular files are handed back for their content") {
  Tree tree;
  LayerMerger merger(tree);
  merger.BeginLayer();
  CHECK(merger.Apply(Dir("d")) == std::nullopt);
  const auto file = merger.Apply(File("d/f", 9));
  REQUIRE(file);
  CHECK(tree.Get(*file).size == 9);
  CHECK(merger.Apply(HardLink("g", "d/f")) == std::nullopt);
  CHECK(merger.Apply(Whiteout(".wh.x")) == std::nullopt);
  CHECK(merger.Apply(File(".wh..wh.aufs", 100)) == std::nullopt);
}

TEST_CASE("xattrs that an image must not carry are dropped and counted") {
  Tree tree;
  LayerMerger merger(tree);
  merger.BeginLayer();
  LayerEntry entry = File("f");
  entry.xattrs = {{"com.apple.provenance", "x"},    {"security.capability", "c"},
                  {"security.selinux", "l"},        {"system.nfs4_acl", "n"},
                  {"system.posix_acl_access", "a"}, {"trusted.overlay.redirect", "/etc"},
                  {"trusted.overlayish", "t"},      {"user.", "no name"},
                  {"user.overlay.opaque", "y"},     {"user.x", ""}};
  const auto file = merger.Apply(entry);
  std::vector<std::string> kept;
  for (const auto& [name, value] : tree.Get(*file).xattrs) kept.push_back(name);
  CHECK(kept ==
        std::vector<std::string>{"security.capability", "system.posix_acl_access", "trusted.overlayish", "user.x"});
  CHECK(merger.dropped_xattrs() == 6);
}

TEST_CASE("many xattrs that each fit are refused together") {
  LayerEntry entry = File("f");
  for (int i = 0; i < 5; ++i) entry.xattrs.emplace("user." + std::to_string(i), std::string(60000, 'v'));
  CHECK(ErrorOf({{entry}}).starts_with("limit: 5 xattrs take 300040 bytes"));
}

}  // namespace
}  // namespace sluice::convert
