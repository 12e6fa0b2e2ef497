// SPDX-License-Identifier: Apache-2.0
#include "http/percent.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace sluice::http {
namespace {

TEST_CASE("every byte but the unreserved ones is percent-encoded") {
  CHECK(PercentEncode("/mnt/a b-c_d.e~f&g=h%+\xc3\xa4") == "%2Fmnt%2Fa%20b-c_d.e~f%26g%3Dh%25%2B%C3%A4");
  CHECK(PercentEncode("") == "");
}

TEST_CASE("what was encoded decodes to itself") {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(PercentDecode(PercentEncode(all)) == all);
}

TEST_CASE("a plus sign is a plus sign") { CHECK(PercentDecode("a+b") == "a+b"); }

TEST_CASE("both cases of hexadecimal digits decode") { CHECK(PercentDecode("%2f%2F") == "//"); }

TEST_CASE("a percent sign without two digits is refused, and so is a zero byte") {
  for (const std::string text : {"%", "%2", "a%", "%g0", "%0g", "%%20", "%00", "a%00b"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(PercentDecode(text), Error);
  }
}

}  // namespace
}  // namespace sluice::http
