// SPDX-License-Identifier: Apache-2.0
#include "codec/chunk_codec.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/rng.h"

namespace sluice::codec {
namespace {

std::string Repetitive(size_t size) {
  std::string text;
  while (text.size() < size) text += "line " + std::to_string(text.size() % 977) + "\n";
  text.resize(size);
  return text;
}

std::string Noise(size_t size) {
  Rng rng(7);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(rng.Next());
  return text;
}

std::string Decode(ChunkDecoder& decoder, Compression compression, ConstBytes stored, size_t plain_size) {
  std::string plain(plain_size, '?');
  decoder.Decode(compression, stored, std::as_writable_bytes(std::span(plain)));
  return plain;
}

constexpr Compression kCompressors[] = {Compression::kZstd, Compression::kLz4Block};

}  // namespace

TEST_CASE("a chunk that compresses comes back, with the same encoder and decoder over and over") {
  for (const Compression compression : kCompressors) {
    CAPTURE(Name(compression));
    ChunkEncoder encoder(compression, 3);
    ChunkDecoder decoder;
    for (const size_t size : {size_t{64}, size_t{4096}, size_t{4097}, size_t{1} << 20, kMaxChunkSize}) {
      CAPTURE(size);
      const std::string plain = Repetitive(size);
      std::vector<std::byte> stored(size);
      const auto stored_size = encoder.Encode(AsBytes(plain), stored);
      REQUIRE(stored_size);
      CHECK(*stored_size < size);
      CHECK(Decode(decoder, compression, ConstBytes(stored).first(*stored_size), size) == plain);
    }
  }
}

TEST_CASE("what does not get smaller is left to be stored as it is") {
  for (const Compression compression : {Compression::kZstd, Compression::kLz4Block, Compression::kNone}) {
    CAPTURE(Name(compression));
    ChunkEncoder encoder(compression, 3);
    std::vector<std::byte> stored(100'000);
    CHECK_FALSE(encoder.Encode(AsBytes(Noise(100'000)), stored));
    CHECK_FALSE(encoder.Encode(AsBytes("x"), stored));
    CHECK_FALSE(encoder.Encode({}, stored));
  }
}

TEST_CASE("the same chunk is always encoded the same way, whatever the room and the history of the encoder") {
  const std::string plain = Repetitive(200'000);
  for (const Compression compression : kCompressors) {
    CAPTURE(Name(compression));
    std::vector<std::byte> first(plain.size());
    first.resize(ChunkEncoder(compression, 3).Encode(AsBytes(plain), first).value());

    ChunkEncoder used(compression, 3);
    std::vector<std::byte> second(10 * plain.size());
    (void)used.Encode(AsBytes(Noise(50'000)), second);
    (void)used.Encode(AsBytes(Repetitive(70'000)), second);
    second.resize(used.Encode(AsBytes(plain), second).value());
    CHECK(first == second);
  }
}

TEST_CASE("a stored chunk that does not hold exactly the plain size is corrupt") {
  const std::string plain = Repetitive(10'000);
  for (const Compression compression : {Compression::kZstd, Compression::kLz4Block, Compression::kNone}) {
    CAPTURE(Name(compression));
    std::vector<std::byte> stored(plain.size());
    const auto encoded = ChunkEncoder(compression, 3).Encode(AsBytes(plain), stored);
    if (encoded) {
      stored.resize(*encoded);
    } else {
      std::ranges::copy(AsBytes(plain), stored.begin());
    }
    ChunkDecoder decoder;
    CHECK(Decode(decoder, compression, stored, plain.size()) == plain);
    CHECK_THROWS_AS(Decode(decoder, compression, stored, plain.size() - 1), Error);
    CHECK_THROWS_AS(Decode(decoder, compression, stored, plain.size() + 1), Error);
    CHECK_THROWS_AS(Decode(decoder, compression, {}, plain.size()), Error);
    // The decoder is as good as new after an error.
    CHECK(Decode(decoder, compression, stored, plain.size()) == plain);
  }
}

TEST_CASE("a stored chunk cut at any byte is corrupt") {
  const std::string plain = Repetitive(3000);
  for (const Compression compression : kCompressors) {
    CAPTURE(Name(compression));
    std::vector<std::byte> stored(plain.size());
    stored.resize(ChunkEncoder(compression, 3).Encode(AsBytes(plain), stored).value());
    ChunkDecoder decoder;
    for (size_t size = 0; size < stored.size(); ++size) {
      CAPTURE(size);
      CHECK_THROWS_AS(Decode(decoder, compression, ConstBytes(stored).first(size), plain.size()), Error);
    }
  }
}

TEST_CASE("levels that zstd does not have, and gzip chunks, are refused") {
  CHECK_THROWS_AS(ChunkEncoder(Compression::kZstd, 0), Error);
  CHECK_THROWS_AS(ChunkEncoder(Compression::kZstd, 23), Error);
  CHECK_NOTHROW(ChunkEncoder(Compression::kZstd, 19));
  CHECK_THROWS_AS(ChunkEncoder(Compression::kGzip, 6), Error);
  std::vector<std::byte> plain(1);
  CHECK_THROWS_AS(ChunkDecoder().Decode(Compression::kGzip, plain, plain), Error);
}

}  // namespace sluice::codec
