// SPDX-License-Identifier: Apache-2.0
#include "convert/converter.h"

#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "codec/chunk_codec.h"
#include "codec/stream.h"
#include "convert/image_documents.h"
#include "image/rafs/blob_meta.h"
#include "image/rafs/bootstrap_reader.h"
#include "oci/media_types.h"
#include "oci/tar_layer.h"
#include "unit/convert/layers.h"
#include "unit/convert/memory_image.h"

namespace sluice::convert {
namespace {

using image::rafs::Blob;
using image::rafs::Chunk;
using image::rafs::Image;
using test::FileWith;
using test::MemoryLayer;
using test::MemorySource;
using test::MemoryTarget;
using test::SparseFile;

class Ignore final : public ConvertObserver {
 public:
  void OnLayer(size_t, size_t, const oci::SourceLayer&) override {}
  void OnProgress(uint64_t, uint64_t) override {}
  void OnLayerDone(const LayerReport&) override {}
};

ConvertReport ConvertTo(MemoryTarget& target, std::vector<MemoryLayer> layers, const ConvertOptions& options = {}) {
  MemorySource source(std::move(layers));
  Ignore observer;
  return Convert(source, target, options, observer);
}

class StringSource final : public codec::ByteSource {
 public:
  explicit StringSource(std::string content) : content_(std::move(content)) {}
  size_t Read(MutableBytes dst) override {
    const size_t count = std::min(dst.size(), content_.size() - offset_);
    std::memcpy(dst.data(), content_.data() + offset_, count);
    offset_ += count;
    return count;
  }

 private:
  const std::string content_;
  size_t offset_ = 0;
};

// The image as a daemon would find it, from the manifest down.
Image Load(const MemoryTarget& target) {
  const oci::Descriptor& last = target.manifest->layers.back();
  CHECK(last.annotations.at(std::string(oci::annotation::kNydusBootstrap)) == "true");
  const auto layer = oci::OpenTarLayer(std::make_unique<StringSource>(target.Blob(last.digest)), "bootstrap",
                                       {.digest = last.digest, .stored_size = last.size});
  return image::rafs::ParseBootstrap(oci::ReadFileInLayer(*layer, kBootstrapPath, kMaxBootstrapSize));
}

std::string ReadChunk(const MemoryTarget& target, const Image& image, const Blob& blob, const Chunk& chunk) {
  const std::string& file = target.Blob(Digest::FromHex(blob.id.hex()));
  const ConstBytes stored = AsBytes(file).subspan(chunk.stored_offset, chunk.stored_size);
  std::string plain(chunk.plain_size, '?');
  const Compression compression = chunk.compressed ? blob.compression : Compression::kNone;
  codec::ChunkDecoder().Decode(compression, stored, std::as_writable_bytes(std::span(plain)));
  CHECK(DigestOf(image.digester, AsBytes(plain)) == chunk.digest);
  return plain;
}

std::string ReadFile(const MemoryTarget& target, const Image& image, std::string_view path) {
  const image::Inode* inode = &image.tree.Get(image.tree.root());
  for (const std::string& name : oci::SplitPath(path)) inode = &image.tree.Get(inode->entries.at(name));
  std::string content;
  for (const image::FileChunk& place : inode->chunks) {
    if (place.is_hole()) {
      content.append(std::min<uint64_t>(image.chunk_size, inode->size - content.size()), '\0');
    } else {
      const Blob& blob = image.blobs.at(place.blob);
      content += ReadChunk(target, image, blob, blob.chunks.at(place.chunk));
    }
  }
  CHECK(content.size() == inode->size);
  return content;
}

std::string Noise(uint64_t seed, size_t size) {
  Rng rng(seed);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(rng.Next());
  return noise;
}

// Half as random as noise: compresses, but every chunk is another.
std::string Text(uint64_t seed, size_t size) {
  std::string text = Noise(seed, size);
  for (char& c : text) c = static_cast<char>('a' + (c & 7));
  return text;
}

struct Content {
  std::string path;
  std::string bytes;
};

const std::vector<Content> kContents = {
    {"empty", ""},
    {"one", "1"},
    {"exact", Text(1, 4096)},
    {"more", Text(2, 4097)},
    {"less", Text(3, 4095)},
    {"noise", Noise(4, 50000)},
    {"text", Text(5, 3000000)},
    {"zeros", std::string(100000, '\0')},
    {"zeros in the middle", Text(6, 70000) + std::string(300000, '\0') + Text(7, 1)},
};

TEST_CASE("what is converted reads back, with every compressor, digester and chunk size") {
  std::vector<MemoryLayer> layers(2);
  for (size_t i = 0; i < kContents.size(); ++i) {
    layers[i % 2].push_back(FileWith(kContents[i].path, kContents[i].bytes));
  }
  for (const Compression compression : {Compression::kZstd, Compression::kLz4Block, Compression::kNone}) {
    for (const DigestAlgorithm digester : {DigestAlgorithm::kBlake3, DigestAlgorithm::kSha256}) {
      for (const uint32_t chunk_size : {4096U, 65536U, 1048576U, 16777216U}) {
        CAPTURE(Name(compression), Name(digester), chunk_size);
        MemoryTarget target;
        ConvertTo(target, layers,
                  {.chunk_size = chunk_size, .compression = compression, .level = 3, .digester = digester, .jobs = 2});
        const Image image = Load(target);
        CHECK(image.chunk_size == chunk_size);
        CHECK(image.compression == compression);
        CHECK(image.digester == digester);
        for (const Content& content : kContents) {
          CAPTURE(content.path);
          CHECK(ReadFile(target, image, content.path) == content.bytes);
        }
      }
    }
  }
}

TEST_CASE("the number of threads does not change a byte") {
  MemoryLayer layer;
  for (int i = 0; i < 200; ++i) {
    layer.push_back(FileWith(fmt::format("f{}", i), Text(static_cast<uint64_t>(i % 150), 1000 + 997 * (i % 150))));
  }
  MemoryTarget one;
  const ConvertReport report = ConvertTo(one, {layer, layer}, {.chunk_size = 4096, .jobs = 1});
  for (const size_t jobs : {2, 7}) {
    MemoryTarget many;
    CHECK(ConvertTo(many, {layer, layer}, {.chunk_size = 4096, .jobs = jobs}).manifest == report.manifest);
    CHECK(many.blobs == one.blobs);
  }
}

TEST_CASE("a hole of the layer is a hole of the image and zeros are too") {
  const std::string head = Text(1, 5000);
  const std::string tail = Text(2, 10);
  MemoryTarget target;
  ConvertTo(target,
            {{SparseFile("sparse", (1 << 20) + 10, {{0, head}, {1 << 20, tail}}), SparseFile("hole", 1 << 30, {}),
              SparseFile("late", 4096 * 3, {{5000, "x"}, {5002, "y"}})}},
            {.chunk_size = 4096});
  const Image image = Load(target);
  CHECK(ReadFile(target, image, "sparse") == head + std::string((1 << 20) - head.size(), '\0') + tail);
  const auto& entries = image.tree.Get(image.tree.root()).entries;
  CHECK(std::ranges::count_if(image.tree.Get(entries.at("sparse")).chunks,
                              [](const auto& chunk) { return !chunk.is_hole(); }) == 3);
  CHECK(std::ranges::all_of(image.tree.Get(entries.at("hole")).chunks, &image::FileChunk::is_hole));
  std::string late(4096 * 3, '\0');
  late[5000] = 'x';
  late[5002] = 'y';
  CHECK(ReadFile(target, image, "late") == late);
  CHECK(image.blobs.at(0).chunks.size() == 4);
}

TEST_CASE("the holes of an image have one chunk of zeros, in the blob of the first layer with a hole") {
  const MemoryLayer data = {FileWith("a", Text(1, 5000))};
  const MemoryLayer zeros = {FileWith("b", Text(2, 10)), FileWith("zeros", std::string(4096, '\0'))};
  const MemoryLayer only_a_hole = {SparseFile("hole", 100, {})};
  MemoryTarget target;
  ConvertTo(target, {data, zeros, only_a_hole}, {.chunk_size = 4096});
  const Image image = Load(target);
  REQUIRE(image.zeros);
  CHECK(image.zeros->blob == 1);
  CHECK(image.zeros->chunk.index == 1);
  CHECK(ReadChunk(target, image, image.blobs.at(1), image.zeros->chunk) == std::string(4096, '\0'));
  REQUIRE(image.blobs.size() == 2);
  CHECK(image.blobs[1].chunk_count == 2);  // in the chunk info
  CHECK(image.blobs[1].chunks.size() == 1);

  MemoryTarget without;
  ConvertTo(without, {data}, {.chunk_size = 4096});
  CHECK_FALSE(Load(without).zeros);
  MemoryTarget alone;
  ConvertTo(alone, {only_a_hole}, {.chunk_size = 4096});
  CHECK(Load(alone).zeros->blob == 0);
  CHECK(ReadFile(alone, Load(alone), "hole") == std::string(100, '\0'));
}

TEST_CASE("each content is stored once in an image") {
  const std::string content = Text(1, 10000);
  MemoryTarget target;
  const ConvertReport report = ConvertTo(target,
                                         {{FileWith("a", content), FileWith("b", content)},
                                          {FileWith("c", content)},
                                          {FileWith("d", content.substr(0, 4096) + "!")}},
                                         {.chunk_size = 4096});
  REQUIRE(report.layers.size() == 3);
  CHECK(report.layers[0].chunks == 3);
  CHECK_FALSE(report.layers[1].blob);
  CHECK(report.layers[2].chunks == 1);
  const Image image = Load(target);
  CHECK(image.blobs.size() == 2);
  for (const char* name : {"a", "b", "c"}) CHECK(ReadFile(target, image, name) == content);
  CHECK(ReadFile(target, image, "d") == content.substr(0, 4096) + "!");
  const auto& entries = image.tree.Get(image.tree.root()).entries;
  CHECK(image.tree.Get(entries.at("a")).chunks == image.tree.Get(entries.at("c")).chunks);
}

TEST_CASE("a blob's name is the digest of the file and its chunk table describes it") {
  MemoryTarget target;
  ConvertTo(target, {{FileWith("text", Text(1, 9000)), FileWith("noise", Noise(2, 5000))}}, {.chunk_size = 4096});
  const Image image = Load(target);
  const Blob& blob = image.blobs.at(0);
  const std::string& file = target.Blob(Digest::FromHex(blob.id.hex()));
  CHECK(DigestOf(DigestAlgorithm::kSha256, AsBytes(file)).Hex() == blob.id.hex());
  CHECK(blob.stored_size == file.size());
  CHECK(blob.ci_offset + blob.ci_stored_size + image::rafs::kBlobMetaHeaderSize == file.size());

  const image::rafs::BlobMetaHeader header =
      image::rafs::ParseBlobMetaHeader(AsBytes(file).last(image::rafs::kBlobMetaHeaderSize), blob.id.hex());
  CHECK(header.ci_offset == blob.ci_offset);
  CHECK(header.features == blob.features);
  std::vector<std::byte> info(header.ci_plain_size);
  codec::ChunkDecoder().Decode(header.ci_compression, AsBytes(file).subspan(header.ci_offset, header.ci_stored_size),
                               info);
  const image::rafs::BlobMeta meta = image::rafs::ParseBlobMeta(header, info, blob.id.hex());
  REQUIRE(meta.chunks.size() == blob.chunks.size());
  uint64_t stored_end = 0;
  uint64_t plain_end = 0;
  for (size_t i = 0; i < meta.chunks.size(); ++i) {
    const Chunk& chunk = blob.chunks[i];
    CHECK(meta.chunks[i].plain_offset == chunk.plain_offset);
    CHECK(meta.chunks[i].plain_size == chunk.plain_size);
    CHECK(meta.chunks[i].stored_offset == chunk.stored_offset);
    CHECK(meta.chunks[i].stored_size == chunk.stored_size);
    CHECK(meta.chunks[i].compressed == chunk.compressed);
    // Packed as stored, on block boundaries as plain.
    CHECK(chunk.stored_offset == stored_end);
    CHECK(chunk.plain_offset == plain_end);
    stored_end = chunk.stored_end();
    plain_end = AlignUp(chunk.plain_end(), kBlockSize);
  }
  CHECK(stored_end == blob.ci_offset);
  CHECK(plain_end == blob.plain_size);
}

TEST_CASE("manifest and config name one layer per blob and the bootstrap last") {
  MemorySource source({{FileWith("a", "a")}, {{test::Dir("d"), {}}}, {FileWith("b", "b")}});
  source.config().history = {{.created_by = "one"},
                             {.created_by = "env", .empty_layer = true},
                             {.created_by = "two"},
                             {.created_by = "three"}};
  source.config().document = R"({"config":{"Env":["A=1"]}})";
  MemoryTarget target;
  Ignore observer;
  const ConvertReport report = Convert(source, target, {}, observer);

  const oci::Manifest& manifest = target.manifest.value();
  REQUIRE(manifest.layers.size() == 3);
  CHECK(manifest.layers[0].media_type == oci::media_type::kNydusBlob);
  CHECK(manifest.layers[0] == report.layers[0].blob);
  CHECK(manifest.layers[1] == report.layers[2].blob);
  CHECK(manifest.layers[2] == report.bootstrap);
  CHECK(manifest.layers[2].media_type == oci::media_type::kLayerGzip);

  const oci::ImageConfig config = oci::ParseConfig(AsBytes(target.Blob(manifest.config.digest)), "config");
  REQUIRE(config.diff_ids.size() == 3);
  CHECK(config.diff_ids[0] == manifest.layers[0].digest);
  CHECK(config.diff_ids[2] != manifest.layers[2].digest);  // of the tar, not of the gzip file
  REQUIRE(config.history.size() == 5);
  std::vector<bool> empty;
  for (const oci::HistoryEntry& entry : config.history) empty.push_back(entry.empty_layer);
  CHECK(empty == std::vector<bool>{false, true, true, false, false});
  CHECK(config.document.find("A=1") != std::string::npos);
}

TEST_CASE("a history that does not fit its layers is left out") {
  const BootstrapLayer bootstrap;
  oci::ImageConfig config;
  config.history = {{.created_by = "one"}};
  CHECK(ConvertedConfig(config, {oci::Descriptor{}, oci::Descriptor{}}, bootstrap).history.empty());
  CHECK(ConvertedConfig(config, {oci::Descriptor{}}, bootstrap).history.size() == 2);
}

TEST_CASE("an image without data has a bootstrap and nothing else") {
  MemoryTarget target;
  const ConvertReport report = ConvertTo(target, {{{test::Symlink("s", "x"), {}}, FileWith("empty", "")}});
  CHECK(target.manifest->layers.size() == 1);
  CHECK(Load(target).blobs.empty());
  CHECK(report.inodes == 3);
}

TEST_CASE("a layer that turns out wrong at its end commits nothing") {
  MemorySource source({{FileWith("a", "a")}, {FileWith("b", "b")}});
  source.broken_layer = 1;
  MemoryTarget target;
  Ignore observer;
  CHECK_THROWS_WITH(Convert(source, target, {}, observer), "its digest is another");
  CHECK_FALSE(target.manifest);
}

TEST_CASE("errors name layer and entry") {
  MemoryTarget target;
  CHECK_THROWS_WITH(ConvertTo(target, {{}, {{test::HardLink("a/b", "c"), {}}}}),
                    "layer 2: entry 'a/b': a hard link to 'c', which does not exist in this layer or below");
  CHECK_THROWS_WITH(ConvertTo(target, {{SparseFile("big", uint64_t{1} << 62, {})}}, {.chunk_size = 4096}),
                    Catch::StartsWith("layer 1: entry 'big': 1125899906842624 chunks of 4096 bytes"));
  CHECK_FALSE(target.manifest);
}

TEST_CASE("options outside their range are refused") {
  for (const uint32_t chunk_size : {0U, 2048U, 4097U, 33554432U}) {
    MemoryTarget target;
    CHECK_THROWS_AS(ConvertTo(target, {}, {.chunk_size = chunk_size}), Error);
  }
  MemoryTarget target;
  CHECK_THROWS_AS(ConvertTo(target, {}, {.jobs = 0}), Error);
}

class StopAfter final : public ConvertObserver {
 public:
  void OnLayer(size_t, size_t, const oci::SourceLayer&) override {}
  void OnProgress(uint64_t entries, uint64_t) override {
    if (entries == 2) Throw(Errc::kStopped, "enough");
  }
  void OnLayerDone(const LayerReport&) override { layers_done++; }
  int layers_done = 0;
};

TEST_CASE("an observer can end a conversion") {
  MemorySource source({{FileWith("a", "a")}, {FileWith("b", "b"), FileWith("c", "c")}});
  MemoryTarget target;
  StopAfter observer;
  CHECK_THROWS_WITH(Convert(source, target, {}, observer), "enough");
  CHECK(observer.layers_done == 1);
  CHECK_FALSE(target.manifest);
}

}  // namespace
}  // namespace sluice::convert
