// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <array>
#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/range.h"

namespace sluice {

TEST_CASE("a reader gives back what a writer appended, in order") {
  ByteWriter writer;
  writer.Append<uint16_t>(0x1234);
  writer.Append<uint64_t>(0x0102030405060708);
  writer.Append(AsBytes("name"));
  writer.PadTo(16);
  const auto bytes = std::move(writer).Finish();
  REQUIRE(bytes.size() == 16);

  ByteReader reader(bytes, "sample");
  CHECK(reader.Read<uint16_t>("a") == 0x1234);
  CHECK(reader.Read<uint64_t>("b") == 0x0102030405060708);
  CHECK(AsText(reader.Take(4, "c")) == "name");
  CHECK(reader.remaining() == 2);
}

TEST_CASE("a reader that runs out names the object, the field and the numbers") {
  const std::array<std::byte, 6> bytes{};
  ByteReader reader(bytes, "super block");
  reader.Skip(4, "magic");
  try {
    reader.Read<uint32_t>("checksum");
    FAIL("read past the end");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kCorrupt);
    CHECK(e.message() == "super block: field 'checksum' at offset 4 needs 4 bytes, 2 are left");
  }
}

TEST_CASE("a slice never wraps around") {
  const std::array<std::byte, 8> bytes{};
  CHECK(Slice(bytes, 8, 0, "x").empty());
  CHECK(Slice(bytes, 2, 6, "x").size() == 6);
  CHECK_THROWS_AS(Slice(bytes, 9, 0, "x"), Error);
  CHECK_THROWS_AS(Slice(bytes, 2, UINT64_MAX, "x"), Error);
  CHECK_THROWS_AS(Slice(bytes, UINT64_MAX, 2, "x"), Error);
}

TEST_CASE("alignment rounds to powers of two") {
  CHECK(AlignUp(0, 4096) == 0);
  CHECK(AlignUp(1, 4096) == 4096);
  CHECK(AlignDown(4097, 4096) == 4096);
  CHECK(IsAligned(8192, 4096));
  CHECK_FALSE(IsAligned(8193, 4096));
}

TEST_CASE("a range contains itself and its parts only") {
  const ByteRange range{.offset = 10, .length = 10};
  CHECK(range.Contains(range));
  CHECK(range.Contains({.offset = 19, .length = 1}));
  CHECK_FALSE(range.Contains({.offset = 19, .length = 2}));
  CHECK_FALSE(range.Contains({.offset = 9, .length = 1}));
}

}  // namespace sluice
