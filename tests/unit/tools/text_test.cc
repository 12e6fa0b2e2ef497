// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <catch2/catch.hpp>

namespace sluice::tools {
namespace {

TEST_CASE("bytes are printed in the unit that people read") {
  const auto [bytes, text] = GENERATE(table<uint64_t, std::string>({
      {0, "0 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {1536, "1.5 KiB"},
      {1048575, "1.0 MiB"},
      {1048576, "1.0 MiB"},
      {UINT64_MAX, "16.0 EiB"},
  }));
  CAPTURE(bytes);
  CHECK(FormatBytes(bytes) == text);
}

TEST_CASE("columns line up and the last one is not padded") {
  CHECK(FormatTable({{"A", "B"}, {"long", "x"}, {"", "yy"}}) == "A     B\nlong  x\n      yy\n");
}

TEST_CASE("names cannot steer the terminal") {
  CHECK(Printable("a\x1b[31m\r\n\x7f\tb") == "a?[31m????b");
  CHECK(Printable("\xc3\xa4") == "\xc3\xa4");
  CHECK(FormatTable({{"\n", "\x1b"}}) == "?  ?\n");
}

}  // namespace
}  // namespace sluice::tools
