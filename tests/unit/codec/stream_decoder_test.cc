// SPDX-License-Identifier: Apache-2.0
#include "codec/stream_decoder.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec/chunk_codec.h"
#include "codec/gzip_encoder.h"
#include "support/streams.h"

namespace sluice::codec {
namespace {

using test::MemorySink;
using test::MemorySource;
using test::ReadAll;

std::string Sample(size_t size) {
  std::string text;
  for (uint32_t x = 1; text.size() < size; x = x * 1664525 + 1013904223) text += std::to_string(x >> 20) + " ";
  text.resize(size);
  return text;
}

std::string Gzip(std::string_view plain, int level = 6) {
  MemorySink sink;
  GzipEncoder encoder(sink, level);
  encoder.Write(AsBytes(plain));
  encoder.Finish();
  return sink.text;
}

std::string ZstdFrame(std::string_view plain) {
  ChunkEncoder encoder(Compression::kZstd, 3);
  std::vector<std::byte> frame(plain.size());
  frame.resize(encoder.Encode(AsBytes(plain), frame).value());
  return std::string(AsText(frame));
}

// RFC 8878 section 3.1.2.
std::string SkippableFrame(std::string_view content) {
  ByteWriter frame;
  frame.Append<uint32_t>(0x184D2A53);
  frame.Append<uint32_t>(static_cast<uint32_t>(content.size()));
  frame.Append(AsBytes(content));
  return std::string(AsText(std::move(frame).Finish()));
}

std::string Decode(const std::string& stored, DecodeLimits limits = {}, size_t piece = SIZE_MAX) {
  MemorySource source(stored, piece);
  StreamDecoder decoder(source, "stream", limits);
  return ReadAll(decoder);
}

Errc CodeOf(const std::string& stored, DecodeLimits limits = {}) {
  try {
    Decode(stored, limits);
  } catch (const Error& e) {
    return e.code();
  }
  FAIL("no error");
  return Errc::kIo;
}

}  // namespace

TEST_CASE("a stream is decoded by what it starts with") {
  const std::string plain = Sample(300'000);
  struct Case {
    std::string stored;
    StreamFormat format;
    std::string expected;
  };
  const Case cases[] = {
      {plain, StreamFormat::kNone, plain},
      {"", StreamFormat::kNone, ""},
      {"abc", StreamFormat::kNone, "abc"},
      {Gzip(plain), StreamFormat::kGzip, plain},
      {Gzip(""), StreamFormat::kGzip, ""},
      {Gzip(plain) + Gzip("") + Gzip("tail"), StreamFormat::kGzip, plain + "tail"},
      {ZstdFrame(plain), StreamFormat::kZstd, plain},
      {SkippableFrame("index") + ZstdFrame(plain) + SkippableFrame("") + ZstdFrame(plain), StreamFormat::kZstd,
       plain + plain},
  };
  for (const Case& c : cases) {
    for (const size_t piece : {size_t{1}, size_t{777}, SIZE_MAX}) {
      CAPTURE(Name(c.format), c.stored.size(), piece);
      MemorySource source(c.stored, piece);
      StreamDecoder decoder(source, "stream");
      CHECK((ReadAll(decoder, 1000) == c.expected));
      CHECK(decoder.format() == c.format);
      CHECK(decoder.stored_bytes() == c.stored.size());
      CHECK(decoder.plain_bytes() == c.expected.size());
      std::byte more;
      CHECK(decoder.Read(MutableBytes(&more, 1)) == 0);
    }
  }
}

TEST_CASE("a compressed stream cut at any byte is corrupt") {
  const std::string plain = Sample(600);
  for (const std::string& stored : {Gzip(plain), ZstdFrame(plain)}) {
    // Below four bytes there is no telling that it was meant to be compressed.
    for (size_t size = kDetectBytes; size < stored.size(); ++size) {
      CAPTURE(size);
      CHECK(CodeOf(stored.substr(0, size)) == Errc::kCorrupt);
    }
    for (size_t size = 1; size < stored.size(); ++size) {
      CAPTURE(size);
      CHECK(CodeOf(stored + stored.substr(0, size)) == Errc::kCorrupt);
    }
  }
}

TEST_CASE("what follows a compressed stream must be one too") {
  const std::string plain = Sample(600);
  for (const std::string& stored : {Gzip(plain), ZstdFrame(plain)}) {
    CHECK(CodeOf(stored + "garbage") == Errc::kCorrupt);
    CHECK(CodeOf(stored + std::string(512, '\0')) == Errc::kCorrupt);
  }
}

TEST_CASE("a flipped bit in a gzip stream never changes the content unnoticed") {
  const std::string plain = Sample(600);
  const std::string stored = Gzip(plain);
  size_t refused = 0;
  for (size_t bit = 0; bit < stored.size() * 8; ++bit) {
    std::string bad = stored;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    if (DetectFormat(AsBytes(bad)) != StreamFormat::kGzip) continue;
    CAPTURE(bit);
    try {
      const std::string decoded = Decode(bad);
      CHECK(decoded == plain);  // fields without meaning (time, system), bits of padding
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
      ++refused;
    }
  }
  CHECK(refused > (stored.size() - 10) * 8 * 99 / 100);
}

TEST_CASE("decompression bombs end at the limits") {
  const std::string zeros(10 << 20, '\0');
  const DecodeLimits small{.max_plain_bytes = 1 << 20};
  const DecodeLimits ratio{.max_ratio = 100, .ratio_free_bytes = 1 << 20};
  for (const std::string& bomb : {Gzip(zeros), ZstdFrame(zeros)}) {
    CHECK(CodeOf(bomb, small) == Errc::kLimit);
    CHECK(CodeOf(bomb, ratio) == Errc::kLimit);
    CHECK(Decode(bomb) == zeros);
  }
  CHECK(CodeOf(zeros, small) == Errc::kLimit);
  // Honest data below the ratio pass.
  const std::string sample = Sample(2 << 20);
  CHECK((Decode(Gzip(sample), ratio) == sample));
}

TEST_CASE("a zstd frame that asks for a window above 128 MiB is refused") {
  // RFC 8878 section 3.1.1: no content size, window descriptor exponent 18 (256 MiB), an empty last raw block.
  const std::string frame("\x28\xB5\x2F\xFD\x00\x90\x01\x00\x00", 9);
  CHECK(CodeOf(frame) == Errc::kCorrupt);
  const std::string fits("\x28\xB5\x2F\xFD\x00\x88\x01\x00\x00", 9);
  CHECK(Decode(fits).empty());
}

TEST_CASE("gzip files that are too large to be kept are one member, too, whatever the pieces were") {
  const std::string plain = Sample(GzipEncoder::kMostAtOnce + 1);
  const std::string whole = Gzip(plain, 1);
  CHECK((Decode(whole) == plain));
  MemorySink sink;
  GzipEncoder encoder(sink, 1);
  for (size_t at = 0; at < plain.size(); at += 999'999)
    encoder.Write(AsBytes(std::string_view(plain).substr(at, 999'999)));
  encoder.Finish();
  CHECK((sink.text == whole));
  CHECK(Gzip(plain.substr(1), 1).substr(0, 8) == whole.substr(0, 8));
}

TEST_CASE("gzip output depends on the input and the level only") {
  const std::string plain = Sample(200'000);
  const std::string whole = Gzip(plain);
  MemorySink sink;
  GzipEncoder encoder(sink, 6);
  for (size_t at = 0; at < plain.size(); at += 999) encoder.Write(AsBytes(std::string_view(plain).substr(at, 999)));
  encoder.Finish();
  CHECK((sink.text == whole));
  // RFC 1952 section 2.3: no flags, time 0, system unknown.
  CHECK(whole.substr(0, 8) == std::string("\x1f\x8b\x08\0\0\0\0\0", 8));
  CHECK(whole[9] == '\xff');
  for (int level = 1; level <= 9; ++level) CHECK((Decode(Gzip(plain, level)) == plain));
  CHECK(Decode(Gzip("")).empty());
  CHECK_THROWS_AS(GzipEncoder(sink, 0), Error);
  CHECK_THROWS_AS(GzipEncoder(sink, 10), Error);
}

}  // namespace sluice::codec
