// SPDX-License-Identifier: Apache-2.0
#include "cache/prompts.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace sluice::cache {
namespace {

using namespace std::string_literals;
using image::LibraryKey;
using image::ModuleKey;

constexpr uint32_t kChunks = 100;
constexpr uint64_t kStored = 1 * kKiB;  // of each chunk
constexpr uint32_t kHere = 1, kAround = 0, kElsewhere = 2;
constexpr PromptLimits kLimits{.whole_file = 4 * kStored, .gap = 2 * kStored};
constexpr RunLimits kRun{.plain_bytes = 1 * kMiB, .stored_bytes = 8 * kStored, .stored_gap = 0};

class Image {
 public:
  void AddModule(std::string_view stem, uint32_t first, uint32_t folder = kHere) {
    advice_.names.names.push_back({.key = ModuleKey(stem), .folder = folder, .first = first, .chunks = 1});
    advice_.names.modules.push_back({.key = ModuleKey(stem), .first = first, .folder = folder, .parent = kAround});
  }
  void AddLibrary(std::string_view stem, uint32_t first, uint32_t chunks) {
    advice_.names.names.push_back({.key = LibraryKey(stem), .folder = kElsewhere, .first = first, .chunks = chunks});
  }
  BlobLayout Make() {
    auto& [names, modules] = advice_.names;
    std::stable_sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    std::stable_sort(modules.begin(), modules.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    image::rafs::Blob blob{.id = BlobId::Parse(std::string(64, 'a')),
                           .stored_size = kChunks * kStored,
                           .plain_size = kChunks * kBlockSize};
    for (uint32_t i = 0; i < kChunks; ++i)
      blob.chunks.push_back(image::rafs::Chunk{.index = i,
                                               .plain_offset = i * kBlockSize,
                                               .stored_offset = i * kStored,
                                               .plain_size = kBlockSize,
                                               .stored_size = kStored,
                                               .compressed = true});
    return BlobLayout(blob, advice_);
  }

 private:
  image::rafs::BlobAdvice advice_;
};

// Everything that is worth fetching, run after run.
std::vector<ChunkSpan> Drain(Prompts& prompts, ChunkMap& map) {
  std::vector<ChunkSpan> runs;
  for (ChunkSpan run = prompts.Pick(map, kRun); !run.empty(); run = prompts.Pick(map, kRun)) {
    map.Claim(run);
    runs.push_back(run);
  }
  return runs;
}

using Runs = std::vector<ChunkSpan>;

const std::string kProgram =
    "\x7f"
    "ELF"s +
    "\0libone.so.1\0libtwo.so\0"s;

}  // namespace

TEST_CASE("the first read brings the loader and the C library, and no other") {
  Image image;
  image.AddLibrary("libc", 10, 2);
  image.AddLibrary("ld-linux-x86-64", 20, 1);
  image.AddLibrary("libm", 30, 1);
  image.AddModule("libc", 40);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  CHECK(Drain(prompts, map).empty());
  prompts.OnRead({50, 51});
  CHECK(Drain(prompts, map) == Runs{{20, 21}, {10, 12}});
  prompts.OnRead({51, 52});
  CHECK(Drain(prompts, map).empty());
}

TEST_CASE("a C library that many files could be is none") {
  Image image;
  for (uint32_t i = 0; i <= kLimits.of_one_name; ++i) image.AddLibrary("libc", 10 * i, 1);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  prompts.OnRead({50, 51});
  CHECK(Drain(prompts, map).empty());
}

TEST_CASE("a module that was read brings those that it names, around it and where others were found") {
  Image image;
  image.AddModule("main", 0);
  image.AddModule("near", 10);
  image.AddModule("far", 20, kElsewhere);
  image.AddModule("other", 30, kElsewhere);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 1});
  prompts.OnRead({0, 1});
  CHECK(Drain(prompts, map).empty());
  prompts.OnBytes(0, AsBytes("import near, far\n"));
  CHECK(Drain(prompts, map) == Runs{{10, 11}});

  map.Claim({30, 31});
  prompts.OnRead({30, 31});
  prompts.OnBytes(30, AsBytes("import far\n"));
  CHECK(Drain(prompts, map) == Runs{{20, 21}});
}

TEST_CASE("the other form of a module comes before its bytes tell anything") {
  Image image;
  image.AddModule("main", 0);
  image.AddModule("main", 40);
  image.AddModule("main", 60, kElsewhere);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 1});
  prompts.OnRead({0, 1});
  CHECK(Drain(prompts, map) == Runs{{40, 41}});
}

TEST_CASE("what came before it was read speaks when it is read") {
  Image image;
  image.AddModule("main", 0);
  image.AddModule("first", 5);
  image.AddModule("near", 10);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  prompts.OnRead({50, 51});
  prompts.OnBytes(0, AsBytes("import near\n"));
  map.Claim({0, 1});
  CHECK(Drain(prompts, map).empty());
  prompts.OnRead({0, 1});
  CHECK(Drain(prompts, map) == Runs{{10, 11}});
}

TEST_CASE("what is named names others, for some steps") {
  Image image;
  const std::vector<std::string> names{"aa", "bb", "cc", "dd", "ee"};
  for (uint32_t i = 0; i < names.size(); ++i) image.AddModule(names[i], 10 * i);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 1});
  prompts.OnRead({0, 1});
  for (uint32_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    prompts.OnBytes(10 * i, AsBytes("import " + names[i + 1] + "\n"));
    CHECK(Drain(prompts, map) == Runs{{10 * i + 10, 10 * i + 11}});
  }
  prompts.OnBytes(30, AsBytes("import ee\n"));
  CHECK(Drain(prompts, map).empty());
  prompts.OnRead({30, 31});
  CHECK(Drain(prompts, map) == Runs{{40, 41}});
}

TEST_CASE("a program brings its libraries, of large ones the ends") {
  Image image;
  image.AddLibrary("libone", 10, 4);
  image.AddLibrary("libtwo", 40, 30);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 1});
  prompts.OnRead({0, 1});
  prompts.OnBytes(0, AsBytes(kProgram));
  CHECK(Drain(prompts, map) == Runs{{10, 14}, {40, 41}, {69, 70}});
}

TEST_CASE("a library that many files could be is not guessed") {
  Image image;
  for (uint32_t i = 0; i <= kLimits.of_one_name; ++i) image.AddLibrary("libone", 10 + 10 * i, 1);
  image.AddLibrary("libtwo", 90, 1);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 1});
  prompts.OnRead({0, 1});
  prompts.OnBytes(0, AsBytes(kProgram));
  CHECK(Drain(prompts, map) == Runs{{90, 91}});
}

TEST_CASE("what lies close together comes in one run, with what little lies between") {
  Image image;
  image.AddModule("main", 0);
  image.AddModule("x1", 20);
  image.AddModule("x2", 18);  // before
  image.AddModule("x3", 23);  // two chunks between, as much as a gap may have
  image.AddModule("x4", 27);  // three
  image.AddModule("x5", 26);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 1});
  prompts.OnRead({0, 1});
  prompts.OnBytes(0, AsBytes("import x1, x2, x3, x4\n"));
  CHECK(Drain(prompts, map) == Runs{{18, 24}, {27, 28}});
  map.Claim({24, 26});
  prompts.OnBytes(0, AsBytes("import x5\n"));
  CHECK(Drain(prompts, map) == Runs{{26, 27}});
}

TEST_CASE("what was named last comes first") {
  Image image;
  image.AddModule("main", 0);
  image.AddModule("then", 1);
  image.AddModule("early", 20);
  image.AddModule("late", 50);
  const BlobLayout layout = image.Make();
  ChunkMap map(kChunks);
  Prompts prompts(layout, kLimits);
  map.Claim({0, 2});
  prompts.OnRead({0, 2});
  prompts.OnBytes(0, AsBytes("import early\n"));
  prompts.OnBytes(1, AsBytes("import late\n"));
  CHECK(Drain(prompts, map) == Runs{{50, 51}, {20, 21}});
}

TEST_CASE("nothing is noted where no names are known, or too many") {
  Image none;
  const BlobLayout silent = none.Make();
  ChunkMap map(kChunks);
  Prompts prompts(silent, kLimits);
  prompts.OnRead({0, 1});
  prompts.OnBytes(0, AsBytes(kProgram));
  CHECK(Drain(prompts, map).empty());

  Image image;
  image.AddModule("main", 0);
  image.AddModule("near", 10);
  const BlobLayout layout = image.Make();
  PromptLimits limits = kLimits;
  limits.names = 0;
  map.Claim({0, 1});
  Prompts few(layout, limits);
  few.OnRead({0, 1});
  few.OnBytes(0, AsBytes("import near\n"));
  CHECK(Drain(few, map).empty());
}

}  // namespace sluice::cache
