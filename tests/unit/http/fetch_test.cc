// SPDX-License-Identifier: Apache-2.0
#include "http/fetch.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "client_fixture.h"

namespace sluice::http {
namespace {

using runtime::Task;
using test::Answer;
using test::AnswerEach;
using test::ServerRequest;

const std::string kObject = "0123456789abcdefghijklmnopqrstuvwxyz";

// Serves ranges of kObject as a good server does.
std::string ServeRange(const ServerRequest& request) {
  size_t first = 0, last = 0;
  if (std::sscanf(request.fields.at("range").c_str(), "bytes=%zu-%zu", &first, &last) != 2) return Answer(400, "", "");
  if (first >= kObject.size()) return Answer(416, "", "");
  const std::string part = kObject.substr(first, last - first + 1);
  const std::string range = "Content-Range: bytes " + std::to_string(first) + "-" +
                            std::to_string(first + part.size() - 1) + "/" + std::to_string(kObject.size()) + "\r\n";
  return Answer(206, "ETag: \"v1\"\r\n" + range, part);
}

Task<std::string> Fetch(Net& net, uint64_t offset, size_t size, ObjectIdentity& identity) {
  std::string bytes(size, 0);
  co_await FetchRange(net.client, net.Get("/o"), offset, std::as_writable_bytes(std::span(bytes.data(), size)),
                      identity);
  co_return bytes;
}
Task<void> ExpectRange(Net& net, uint64_t offset, size_t size, ObjectIdentity& identity, std::string expected) {
  const std::string got = co_await Fetch(net, offset, size, identity);
  CHECK(got == expected);
}
Task<void> FetchNothing(Net& net, uint64_t offset, size_t size, ObjectIdentity& identity) {
  co_await Fetch(net, offset, size, identity);
}

// What asking for bytes 10 to 14 of an object of 36 bytes ends with when the answer is `answer`.
void CheckRangeAnswer(const std::string& answer, Errc code) {
  const auto once = [&](test::Peer& peer) -> Task<void> {
    co_await peer.Receive();
    co_await peer.Send(answer);
  };
  WithServer(once, [&](Net& net) -> Task<void> {
    ObjectIdentity identity{.size = kObject.size()};
    co_await ExpectError(FetchNothing(net, 10, 5, identity), code);
  });
}

TEST_CASE("ranges are fetched exactly, over one connection") {
  WithServer(AnswerEach(ServeRange), [](Net& net) -> Task<void> {
    ObjectIdentity identity{.size = kObject.size()};
    co_await ExpectRange(net, 0, 1, identity, "0");
    co_await ExpectRange(net, 10, 5, identity, "abcde");
    co_await ExpectRange(net, 0, kObject.size(), identity, kObject);
    co_await ExpectRange(net, kObject.size() - 1, 1, identity, "z");
    CHECK(identity.etag == "\"v1\"");
    CHECK(net.server.connections() == 1);
  });
}

TEST_CASE("a range behind the end is an error, and so is one that ends there too early") {
  WithServer(AnswerEach(ServeRange), [](Net& net) -> Task<void> {
    ObjectIdentity identity;
    co_await ExpectError(FetchNothing(net, 36, 1, identity), Errc::kCorrupt);
    co_await ExpectError(FetchNothing(net, 35, 2, identity), Errc::kCorrupt);
  });
}

TEST_CASE("the right answer is taken with a length and without one") {
  const auto chunked = [](const ServerRequest&) -> std::string {
    return "HTTP/1.1 206 X\r\nContent-Range: bytes 10-14/*\r\nTransfer-Encoding: "
           "chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
  };
  WithServer(AnswerEach(chunked), [](Net& net) -> Task<void> {
    ObjectIdentity identity{.size = kObject.size()};
    co_await ExpectRange(net, 10, 5, identity, "abcde");
    co_await ExpectRange(net, 10, 5, identity, "abcde");
    CHECK(net.server.connections() == 1);
  });
}

TEST_CASE("a whole object in place of a range is an error") {
  CheckRangeAnswer(Answer(200, "", kObject), Errc::kUnsupported);
  CheckRangeAnswer(Answer(200, "", "abcde"), Errc::kUnsupported);
}

TEST_CASE("a part that does not say which is an error") { CheckRangeAnswer(Answer(206, "", "abcde"), Errc::kCorrupt); }

TEST_CASE("another range than the one asked for is an error") {
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 9-13/36\r\n", "9abcd"), Errc::kCorrupt);
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-13/36\r\n", "abcd"), Errc::kCorrupt);
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-15/36\r\n", "abcdef"), Errc::kCorrupt);
  CheckRangeAnswer(Answer(206, "Content-Range: bytes -10-14/36\r\n", "abcde"), Errc::kCorrupt);
}

TEST_CASE("two ranges in one answer are an error") {
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-14/36\r\nContent-Range: bytes 0-4/36\r\n", "abcde"),
                   Errc::kCorrupt);
}

TEST_CASE("an object of another size is an error") {
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-14/37\r\n", "abcde"), Errc::kCorrupt);
}

TEST_CASE("a length that contradicts the range is an error") {
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-14/36\r\n", "abcd"), Errc::kCorrupt);
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-14/36\r\n", "abcdef"), Errc::kCorrupt);
}

TEST_CASE("a part that goes on behind its range is an error") {
  CheckRangeAnswer(
      "HTTP/1.1 206 X\r\nContent-Range: bytes 10-14/36\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n",
      Errc::kCorrupt);
}

TEST_CASE("a part that ends before its range does is an error") {
  CheckRangeAnswer("HTTP/1.1 206 X\r\nContent-Range: bytes 10-14/36\r\nContent-Length: 5\r\n\r\nabcd", Errc::kIo);
  CheckRangeAnswer("HTTP/1.1 206 X\r\nContent-Range: bytes 10-14/36\r\nConnection: close\r\n\r\nabcd", Errc::kIo);
}

TEST_CASE("a compressed part is an error") {
  CheckRangeAnswer(Answer(206, "Content-Range: bytes 10-14/36\r\nContent-Encoding: gzip\r\n", "abcde"), Errc::kCorrupt);
}

TEST_CASE("an object that has changed is an error once") {
  size_t asked = 0;
  const auto changing = [&](const ServerRequest&) {
    const std::string tag = ++asked % 3 == 2 ? "\"v1\"" : "\"v2\"";
    return Answer(206, "Content-Range: bytes 10-14/36\r\nETag: " + tag + "\r\n", "abcde");
  };
  WithServer(AnswerEach(changing), [&](Net& net) -> Task<void> {
    asked = 1;
    ObjectIdentity identity;
    co_await ExpectRange(net, 10, 5, identity, "abcde");
    co_await ExpectError(FetchNothing(net, 10, 5, identity), Errc::kCorrupt);
    co_await ExpectRange(net, 10, 5, identity, "abcde");
    CHECK(identity.etag == "\"v2\"");
  });
}

TEST_CASE("a weak tag promises nothing and is not compared") {
  size_t asked = 0;
  const auto changing = [&](const ServerRequest&) {
    const std::string tag = "W/\"" + std::to_string(++asked) + "\"";
    return Answer(206, "Content-Range: bytes 10-14/36\r\nETag: " + tag + "\r\n", "abcde");
  };
  WithServer(AnswerEach(changing), [&](Net& net) -> Task<void> {
    ObjectIdentity identity;
    for (int i = 0; i < 2; ++i) co_await ExpectRange(net, 10, 5, identity, "abcde");
  });
}

TEST_CASE("a stream gives what is there before the answer has ended") {
  const auto in_two = [](test::Peer& peer) -> Task<void> {
    co_await peer.Receive();
    co_await peer.Send("HTTP/1.1 206 X\r\nContent-Range: bytes 10-14/36\r\nContent-Length: 5\r\n\r\nab");
    // The rest comes only when the client has shown that it has the beginning.
    if (!co_await peer.Receive()) co_return;
  };
  WithServer(in_two, [](Net& net) -> Task<void> {
    ObjectIdentity identity;
    const std::unique_ptr<RangeStream> stream = co_await OpenRange(net.client, net.Get("/"), {10, 5}, identity);
    std::vector<std::byte> piece(100);
    size_t got = co_await stream->ReadSome(piece);
    if (got == 1) got += co_await stream->ReadSome(MutableBytes(piece).subspan(1));
    CHECK(AsText(ConstBytes(piece).first(got)) == "ab");
    CHECK(stream->received() == 2);
  });
}

TEST_CASE("statuses become errors of their kind") {
  const std::vector<std::pair<unsigned, Errc>> cases{
      {404, Errc::kNotFound},    {410, Errc::kNotFound},
      {401, Errc::kPermission},  {403, Errc::kPermission},
      {407, Errc::kPermission},  {408, Errc::kBusy},
      {429, Errc::kBusy},        {503, Errc::kBusy},
      {500, Errc::kIo},          {502, Errc::kIo},
      {504, Errc::kIo},          {501, Errc::kUnsupported},
      {416, Errc::kCorrupt},     {400, Errc::kInvalidArgument},
      {302, Errc::kUnsupported},
  };
  unsigned status = 0;
  const auto answer = [&](const ServerRequest&) { return Answer(status, "Retry-After: 7\r\n", ""); };
  WithServer(AnswerEach(answer), [&](Net& net) -> Task<void> {
    for (const auto& [each, code] : cases) {
      status = each;
      ObjectIdentity identity;
      RetryAdvice advice;
      std::vector<std::byte> dst(5);
      INFO("status " << each);
      co_await ExpectError(FetchRange(net.client, net.Get("/"), 0, dst, identity, &advice), code);
      CHECK(advice.retry_after == std::chrono::seconds(7));
    }
  });
}

Task<void> FetchAll(Net& net, uint64_t most) { co_await FetchDocument(net.client, net.Get("/"), most); }

TEST_CASE("a document has a limit, announced or not") {
  const std::string chunked = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n0\r\n\r\n";
  for (const std::string& answer : {Answer(200, "", "123456"), chunked}) {
    WithServer(Always(answer), [](Net& net) -> Task<void> {
      const Document document = co_await FetchDocument(net.client, net.Get("/"), 6);
      CHECK(document.body == "123456");
      CHECK(document.url == net.server.At("/"));
      co_await ExpectError(FetchAll(net, 5), Errc::kLimit);
    });
  }
}

}  // namespace
}  // namespace sluice::http
