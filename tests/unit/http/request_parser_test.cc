// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>

namespace sluice::http {
namespace {

// Feeds `text` in pieces of `step` bytes until a request is complete; nullopt when the text ends before.
std::optional<Request> ParseInPieces(RequestParser& parser, std::string_view text, size_t step) {
  while (!text.empty() && !parser.complete()) {
    const size_t used = parser.Feed(AsBytes(text.substr(0, step)));
    text.remove_prefix(used);
  }
  if (!parser.complete()) return std::nullopt;
  return parser.Take();
}

std::optional<Request> Parse(std::string_view text) {
  RequestParser parser{RequestLimits()};
  return ParseInPieces(parser, text, text.size());
}

// The status that a request is refused with; 0 when it is not.
unsigned RefusalOf(std::string_view text, RequestLimits limits = {}) {
  RequestParser parser(limits);
  try {
    ParseInPieces(parser, text, text.size());
  } catch (const Error&) {
    return parser.refusal_status();
  }
  return 0;
}

constexpr std::string_view kPost =
    "POST /v1/mounts?dry=&name=a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{\"a\":1}";

TEST_CASE("a request parses the same in pieces of every size") {
  const Request want{.method = "POST",
                     .path = "/v1/mounts",
                     .query = {{"dry", ""}, {"name", "a b"}},
                     .body = "{\"a\":1}",
                     .keep_alive = true};
  for (size_t step = 1; step <= kPost.size(); ++step) {
    CAPTURE(step);
    RequestParser parser{RequestLimits()};
    CHECK(ParseInPieces(parser, kPost, step) == want);
  }
}

TEST_CASE("a request that is cut off anywhere is not complete") {
  for (size_t size = 0; size < kPost.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(Parse(kPost.substr(0, size)).has_value());
  }
}

TEST_CASE("a second request in the same bytes is left for the next turn") {
  const std::string two = std::string(kPost) + "GET /v1/status HTTP/1.1\r\n\r\n";
  RequestParser parser{RequestLimits()};
  const size_t used = parser.Feed(AsBytes(two));
  CHECK(used == kPost.size());
  REQUIRE(parser.complete());
  CHECK(parser.Take().method == "POST");
  CHECK_FALSE(parser.started());
  const std::optional<Request> second = ParseInPieces(parser, std::string_view(two).substr(used), two.size());
  REQUIRE(second.has_value());
  CHECK(second->method == "GET");
  CHECK(second->path == "/v1/status");
  CHECK(second->body.empty());
  CHECK(second->query.empty());
}

TEST_CASE("a chunked body is put together") {
  const auto request =
      Parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n");
  REQUIRE(request.has_value());
  CHECK(request->body == "abcde");
}

TEST_CASE("a connection is kept when the protocol says so") {
  CHECK(Parse("GET / HTTP/1.1\r\n\r\n")->keep_alive);
  CHECK_FALSE(Parse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")->keep_alive);
  CHECK_FALSE(Parse("GET / HTTP/1.0\r\n\r\n")->keep_alive);
  CHECK(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST_CASE("a client that expects 100-continue is seen before its body comes") {
  RequestParser parser{RequestLimits()};
  parser.Feed(AsBytes("POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n"));
  CHECK_FALSE(parser.expects_continue());
  parser.Feed(AsBytes("\r\n"));
  CHECK(parser.expects_continue());
  parser.Feed(AsBytes("ab"));
  CHECK_FALSE(parser.expects_continue());
  CHECK(parser.Take().body == "ab");
}

TEST_CASE("the absolute form of a target is understood") {
  const auto request = Parse("GET http://localhost/v1/status?x=1 HTTP/1.1\r\n\r\n");
  REQUIRE(request.has_value());
  CHECK(request->path == "/v1/status");
  CHECK(request->query.size() == 1);
}

TEST_CASE("requests that this server does not take are refused with the status that says why") {
  const auto [name, text, status] = GENERATE(table<std::string, std::string, unsigned>({
      {"no HTTP", "hello\r\n\r\n", 400},
      {"unknown method", "BREW / HTTP/1.1\r\n\r\n", 400},
      {"no version", "GET /\r\n\r\n", 505},
      {"version 2", "GET / HTTP/2.0\r\n\r\n", 505},
      {"space in a field name", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400},
      {"two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {"length and chunks", "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"negative length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"length beyond 64 bits", "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"length beyond the limit", "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413},
      {"bad chunk size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\n\r\n", 501},
      {"asterisk", "OPTIONS * HTTP/1.1\r\n\r\n", 400},
      {"bad escape in the path", "GET /%zz HTTP/1.1\r\n\r\n", 400},
      {"zero byte in the query", "GET /?a=%00 HTTP/1.1\r\n\r\n", 400},
      {"control character in the target", std::string("GET /\x01 HTTP/1.1\r\n\r\n"), 400},
  }));
  CAPTURE(name);
  CHECK(RefusalOf(text) == status);
}

TEST_CASE("the header is bounded in the request line, in fields and in trailers") {
  const RequestLimits limits{.header_bytes = 100, .body_bytes = 10};
  const std::string many(101, 'a');
  CHECK(RefusalOf("GET /" + many + " HTTP/1.1\r\n\r\n", limits) == 431);
  CHECK(RefusalOf("GET / HTTP/1.1\r\n" + many + ": b\r\n\r\n", limits) == 431);
  CHECK(RefusalOf("GET / HTTP/1.1\r\nb: " + many + "\r\n\r\n", limits) == 431);
  CHECK(RefusalOf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nb: " + many + "\r\n\r\n", limits) == 431);
  std::string fields;
  for (int i = 0; i < 60; ++i) fields += "a:b\r\n";
  CHECK(RefusalOf("GET / HTTP/1.1\r\n" + fields + "\r\n", limits) == 431);
  CHECK(RefusalOf("GET / HTTP/1.1\r\nb: c\r\n\r\n", limits) == 0);
}

TEST_CASE("white space without end is refused too") {
  CHECK(RefusalOf("GET / HTTP/1.1\r\na:" + std::string(100'000, ' ') + "b\r\n\r\n") == 431);
}

TEST_CASE("a body is bounded whether its length is announced or not") {
  const RequestLimits limits{.header_bytes = 1000, .body_bytes = 10};
  CHECK(RefusalOf("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789", limits) == 0);
  CHECK(RefusalOf("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limits) == 413);
  CHECK(RefusalOf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nabcde\r\n", limits) == 413);
}

TEST_CASE("a request that could not be taken leaves the parser ready for the next") {
  RequestParser parser{RequestLimits()};
  parser.Feed(AsBytes("GET /%zz HTTP/1.1\r\n\r\n"));
  CHECK_THROWS_AS(parser.Take(), Error);
  CHECK(ParseInPieces(parser, "GET /a HTTP/1.1\r\n\r\n", 100)->path == "/a");
}

}  // namespace
}  // namespace sluice::http
