// SPDX-License-Identifier: Apache-2.0
#include "convert/chunk_pipeline.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "codec/chunk_codec.h"

namespace sluice::convert {
namespace {

using Content = ChunkBatch::Content;

PipelineOptions Options(uint32_t chunk_size, size_t jobs) {
  return {.chunk_size = chunk_size, .compression = Compression::kZstd, .level = 1, .jobs = jobs};
}

void Append(ChunkPipeline& pipeline, size_t position, std::string_view content) {
  const MutableBytes memory = pipeline.Append({}, position, static_cast<uint32_t>(content.size()));
  std::memcpy(memory.data(), content.data(), content.size());
}

TEST_CASE("chunks are committed in the order they came, whatever the number of threads") {
  for (const size_t jobs : {1, 2, 7}) {
    std::vector<size_t> positions;
    ChunkDictionary dictionary;
    ChunkPipeline pipeline(Options(64 * kKiB, jobs), dictionary, [&](const ChunkBatch& batch) {
      for (const ChunkBatch::Item& item : batch.items()) positions.push_back(item.position);
    });
    // The first of each batch takes long to compress, so that later ones overtake it.
    for (size_t i = 0; i < 500; ++i) Append(pipeline, i, std::string(i % 8 == 0 ? 64 * kKiB : 1 + i, 'x'));
    pipeline.Drain();
    REQUIRE(positions.size() == 500);
    for (size_t i = 0; i < 500; ++i) REQUIRE(positions[i] == i);
  }
}

TEST_CASE("a batch says what each chunk became") {
  Rng rng(1);
  std::string noise(5000, '\0');
  for (char& c : noise) c = static_cast<char>(rng.Next());
  const std::string text(5000, 't');
  std::vector<ChunkBatch::Item> items;
  std::string stored;
  ChunkDictionary dictionary;
  dictionary.Add(DigestOf(DigestAlgorithm::kBlake3, AsBytes("known")), 5, {.blob = 0, .chunk = 3});
  ChunkPipeline pipeline(Options(8 * kKiB, 1), dictionary, [&](const ChunkBatch& batch) {
    items = batch.items();
    stored = AsText(batch.stored());
  });
  Append(pipeline, 0, text);
  Append(pipeline, 1, std::string(5000, '\0'));
  Append(pipeline, 2, noise);
  Append(pipeline, 3, "known");
  Append(pipeline, 4, std::string(1, '\0'));
  Append(pipeline, 5, std::string(4999, '\0') + "1");
  pipeline.Drain();

  REQUIRE(items.size() == 6);
  CHECK(items[0].content == Content::kCompressed);
  CHECK(items[1].content == Content::kHole);
  CHECK(items[2].content == Content::kPlain);
  CHECK(items[3].content == Content::kKnown);
  CHECK(items[4].content == Content::kHole);
  CHECK(items[5].content == Content::kCompressed);

  CHECK(items[0].digest == DigestOf(DigestAlgorithm::kBlake3, AsBytes(text)));
  std::string plain(5000, '\0');
  codec::ChunkDecoder().Decode(Compression::kZstd, AsBytes(stored).subspan(0, items[0].stored_size),
                               std::as_writable_bytes(std::span(plain)));
  CHECK(plain == text);
  // Stored bytes follow each other; chunks without any take no room.
  CHECK(items[2].stored_offset == items[0].stored_size);
  CHECK(stored.substr(items[2].stored_offset, items[2].stored_size) == noise);
  CHECK(items[5].stored_offset == items[2].stored_offset + 5000);
}

TEST_CASE("the window is bounded by memory, not by the number of threads asked for") {
  ChunkDictionary dictionary;
  const auto ignore = [](const ChunkBatch&) {};
  const ChunkPipeline large(Options(16 * kMiB, 64), dictionary, ignore);
  CHECK(large.max_batches() * 2 * 16 * kMiB <= 128 * kMiB);
  CHECK(large.threads() < large.max_batches());
  const ChunkPipeline small(Options(4 * kKiB, 2), dictionary, ignore);
  CHECK(small.threads() == 2);
  CHECK(small.max_batches() == 10);

  // As many batches as there may be, at any time, however much is appended.
  PipelineOptions tight = Options(kMiB, 2);
  tight.memory_bytes = 6 * kMiB;
  size_t appended = 0;
  size_t committed = 0;
  size_t most = 0;
  ChunkPipeline pipeline(tight, dictionary, [&](const ChunkBatch& batch) { committed += batch.items().size(); });
  for (; appended < 40; ++appended) {
    Append(pipeline, appended, std::string(kMiB, static_cast<char>('a' + appended % 20)));
    most = std::max(most, appended + 1 - committed);
  }
  pipeline.Drain();
  CHECK(committed == 40);
  CHECK(most <= 3);
}

TEST_CASE("a pipeline that is dropped with work under way ends") {
  size_t committed = 0;
  {
    ChunkDictionary dictionary;
    ChunkPipeline pipeline(Options(kMiB, 2), dictionary, [&](const ChunkBatch&) { ++committed; });
    for (size_t i = 0; i < 5; ++i) Append(pipeline, i, std::string(kMiB, 'x'));
  }
  CHECK(committed < 5);
}

TEST_CASE("an error of a commit reaches the caller and the rest is dropped") {
  ChunkDictionary dictionary;
  ChunkPipeline pipeline(Options(kMiB, 2), dictionary,
                         [](const ChunkBatch&) { Throw(Errc::kNoSpace, "the disk is full"); });
  const auto fill = [&] {
    for (size_t i = 0; i < 20; ++i) Append(pipeline, i, std::string(kMiB, 'x'));
  };
  CHECK_THROWS_WITH(fill(), "the disk is full");
}

TEST_CASE("a level that the compressor does not have is refused at once") {
  ChunkDictionary dictionary;
  PipelineOptions options = Options(kMiB, 1);
  options.level = 1000;
  CHECK_THROWS_AS(ChunkPipeline(options, dictionary, [](const ChunkBatch&) {}), Error);
}

TEST_CASE("the dictionary keeps the first place of a content") {
  ChunkDictionary dictionary;
  const Digest digest = DigestOf(DigestAlgorithm::kBlake3, AsBytes("x"));
  CHECK(dictionary.Find(digest, 1) == std::nullopt);
  dictionary.Add(digest, 1, {.blob = 0, .chunk = 1});
  dictionary.Add(digest, 1, {.blob = 5, .chunk = 6});
  CHECK(dictionary.Find(digest, 1) == image::FileChunk{.blob = 0, .chunk = 1});
  CHECK(dictionary.Find(digest, 2) == std::nullopt);
}

}  // namespace
}  // namespace sluice::convert
