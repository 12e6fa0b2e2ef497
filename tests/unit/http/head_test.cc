// SPDX-License-Identifier: Apache-2.0
// The header of an answer and the fields in it that we act on.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "http/answer_fields.h"
#include "http/head_parser.h"

namespace sluice::http {
namespace {

using std::chrono::seconds;

Errc RefusalOf(const std::vector<std::string>& lines) {
  HeadParser parser(1000);
  try {
    for (const std::string& line : lines) parser.Feed(line);
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("taken");
  return Errc::kIo;
}

TEST_CASE("a header is the fields between its status line and an empty line") {
  HeadParser parser(1000);
  for (const char* line :
       {"HTTP/1.1 206 Partial Content\r\n", "Content-Length:5\r\n", "X-Empty:\r\n", "X-A:  b c \r\n"}) {
    parser.Feed(line);
    CHECK_FALSE(parser.complete());
  }
  parser.Feed("\r\n");
  CHECK(parser.complete());
  const ResponseHead& head = parser.head();
  CHECK(head.status == 206);
  CHECK(head.Find("content-length") == "5");
  CHECK(head.Find("x-empty") == "");
  CHECK(head.Find("X-a") == "b c");
  CHECK_FALSE(head.Find("X"));
  // A trailer says nothing.
  parser.Feed("Content-Length: 7\r\n");
  CHECK(head.Find("content-length") == "5");
}

TEST_CASE("an interim header gives way to the final one") {
  HeadParser parser(1000);
  for (const char* line : {"HTTP/1.1 100 Continue\r\n", "X-A: b\r\n", "\r\n", "HTTP/2 200 \r\n", "\r\n"}) {
    CHECK_FALSE(parser.complete());
    parser.Feed(line);
  }
  CHECK(parser.complete());
  CHECK(parser.head().status == 200);
  CHECK(parser.head().fields.empty());
}

TEST_CASE("lines that are no header are refused") {
  for (const char* line : {"\r\n", "HTTP/1.1\r\n", "HTTP/1.1 \r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2x0 OK\r\n",
                           "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 099 X\r\n", "HTTP/1.1 -20 X\r\n", "ICY 200 OK\r\n"}) {
    INFO(line);
    CHECK(RefusalOf({line}) == Errc::kCorrupt);
  }
  for (const char* line : {"no colon\r\n", ": value\r\n", " X: folded\r\n", "\tX: folded\r\n", "X Y: b\r\n",
                           "X : b\r\n", "X: a\rb\r\n", "X: a\x01\r\n"}) {
    INFO(line);
    CHECK(RefusalOf({"HTTP/1.1 200 OK\r\n", line}) == Errc::kCorrupt);
  }
  CHECK(RefusalOf({"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: gzip\r\n"}) == Errc::kUnsupported);
}

TEST_CASE("a header has a limit, in lines and in repetitions") {
  CHECK(RefusalOf({"HTTP/1.1 200 OK\r\n", "X: " + std::string(1000, 'x') + "\r\n"}) == Errc::kLimit);
  CHECK(RefusalOf(std::vector<std::string>(1000, "HTTP/1.1 100 Continue\r\n\r\n")) == Errc::kCorrupt);
  std::vector<std::string> interim;
  for (int i = 0; i < 100; ++i) {
    interim.push_back("HTTP/1.1 100 Continue\r\n");
    interim.push_back("\r\n");
  }
  CHECK(RefusalOf(interim) == Errc::kLimit);
}

TEST_CASE("a content range is understood only when it makes sense") {
  CHECK(ParseContentRange("bytes 0-0/1") == ContentRange{{0, 1}, 1});
  CHECK(ParseContentRange("Bytes 5-9/10") == ContentRange{{5, 5}, 10});
  CHECK(ParseContentRange("bytes 5-9/*") == ContentRange{{5, 5}, std::nullopt});
  CHECK(ParseContentRange("bytes 0-18446744073709551614/18446744073709551615") ==
        ContentRange{{0, UINT64_MAX}, UINT64_MAX});
  for (const char* text : {"",
                           "bytes",
                           "bytes ",
                           "bytes */10",
                           "bytes 5-4/10",
                           "bytes 5-10/10",
                           "bytes -5-9/10",
                           "bytes 5--9/10",
                           "bytes +5-9/10",
                           "bytes 5-9",
                           "bytes 5-9/",
                           "bytes 5-9/x",
                           "bytes 5-9/10x",
                           "bytes 5-9/10,11-12/13",
                           "bytes  5-9/10",
                           "bytes=5-9/10",
                           "lines 5-9/10",
                           "bytes 5/9-10",
                           "bytes 0-18446744073709551615/*",
                           "bytes 0-18446744073709551616/*",
                           "bytes 0x5-9/10"}) {
    INFO(text);
    CHECK_FALSE(ParseContentRange(text));
  }
  const std::string whole = "bytes 5-9/10";
  for (size_t size = 0; size < whole.size() - 1; ++size) CHECK_FALSE(ParseContentRange(whole.substr(0, size)));
}

TEST_CASE("a date is the second that it names") {
  CHECK(ParseHttpDate("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(ParseHttpDate("Thu, 29 Feb 2024 23:59:59 GMT") == 1709251199);
  for (const char* text :
       {"", "Sun, 06 Nov 1994 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 31 Feb 2024 00:00:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT "}) {
    INFO(text);
    CHECK_FALSE(ParseHttpDate(text));
  }
}

std::optional<Duration> RetryAfterOf(std::vector<Field> fields) { return RetryAfter({503, std::move(fields)}); }

TEST_CASE("Retry-After is a number of seconds or a date") {
  CHECK(RetryAfterOf({{"Retry-After", "120"}}) == seconds(120));
  CHECK(RetryAfterOf({{"Retry-After", "0"}}) == seconds(0));
  const Field date{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"};
  CHECK(RetryAfterOf({{"Retry-After", "Sun, 06 Nov 1994 08:50:00 GMT"}, date}) == seconds(23));
  CHECK(RetryAfterOf({{"Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT"}, date}) == seconds(0));
  CHECK(RetryAfterOf({{"Retry-After", "18446744073709551615"}}) == seconds(86400));
  CHECK(RetryAfterOf({{"Retry-After", "Sun, 06 Nov 9994 08:50:00 GMT"}, date}) == seconds(86400));
}

TEST_CASE("a Retry-After that is not understood is none") {
  CHECK_FALSE(RetryAfterOf({}));
  CHECK_FALSE(RetryAfterOf({{"Retry-After", "soon"}}));
  CHECK_FALSE(RetryAfterOf({{"Retry-After", "-1"}}));
  CHECK_FALSE(RetryAfterOf({{"Retry-After", "1"}, {"Retry-After", "2"}}));
  CHECK_FALSE(RetryAfterOf({{"Retry-After", "Sun, 06 Nov 1994 08:50:00 GMT"}}));
}

TEST_CASE("a content length is a number, once") {
  CHECK(ContentLength({200, {{"Content-Length", "18446744073709551615"}}}) == UINT64_MAX);
  CHECK_FALSE(ContentLength({200, {}}));
  for (const char* text : {"", "-1", "+1", "1x", "0x10", "18446744073709551616", "1,1"}) {
    INFO(text);
    CHECK_THROWS_AS(ContentLength({200, {{"Content-Length", text}}}), Error);
  }
  CHECK_THROWS_AS(ContentLength({200, {{"Content-Length", "1"}, {"content-length", "1"}}}), Error);
}

}  // namespace
}  // namespace sluice::http
