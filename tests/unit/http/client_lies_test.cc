// SPDX-License-Identifier: Apache-2.0
// What servers do that lie, stall or break: each is an error of its kind, in bounded time.

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "client_fixture.h"

namespace sluice::http {
namespace {

using runtime::Task;
using test::Answer;
using test::Peer;
using namespace std::chrono_literals;

// The code that a request ends with when each answer is `answer` and then the connection is closed.
void CheckAnswer(const std::string& answer, Errc code) {
  const auto once = [&](Peer& peer) -> Task<void> {
    co_await peer.Receive();
    co_await peer.Send(answer);
  };
  WithServer(once, [&](Net& net) -> Task<void> { co_await ExpectError(Perform(net.client, net.Get("/")), code); });
}

TEST_CASE("a connection that ends before the answer is an error") { CheckAnswer("", Errc::kIo); }

TEST_CASE("a connection that ends in the header is an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nContent-Len", Errc::kIo);
}

TEST_CASE("a body that ends early is an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123456789", Errc::kIo);
}

TEST_CASE("a chunked body that ends early is an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", Errc::kIo);
  CheckAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", Errc::kIo);
}

TEST_CASE("chunks whose size is no number are an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n12345\r\n0\r\n\r\n", Errc::kIo);
  CheckAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n12345\r\n0\r\n\r\n",
              Errc::kIo);
}

TEST_CASE("a transfer coding that nobody asked for is refused") {
  CheckAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Errc::kUnsupported);
}

TEST_CASE("a negative length is an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n12345", Errc::kCorrupt);
}

TEST_CASE("a length that no number can hold is an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n12345", Errc::kCorrupt);
}

TEST_CASE("an announced giant allocates nothing and is refused") {
  CheckAnswer("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n12345", Errc::kLimit);
}

TEST_CASE("two lengths are an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345", Errc::kCorrupt);
}

TEST_CASE("bytes that are no HTTP are an error") {
  CheckAnswer("SSH-2.0-OpenSSH_9.2\r\n", Errc::kCorrupt);
  CheckAnswer("HTTP/1.1 9 X\r\n\r\n", Errc::kCorrupt);
}

TEST_CASE("header lines that two readers may understand differently are an error") {
  CheckAnswer("HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n", Errc::kCorrupt);
  CheckAnswer("HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n", Errc::kCorrupt);
}

TEST_CASE("a huge header is refused") {
  CheckAnswer("HTTP/1.1 200 OK\r\nX-A: " + std::string(70'000, 'x') + "\r\nContent-Length: 0\r\n\r\n", Errc::kLimit);
}

TEST_CASE("a header without end is refused") {
  const auto endless = [](Peer& peer) -> Task<void> {
    co_await peer.Receive();
    co_await peer.Send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 100'000; ++i) co_await peer.Send("X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n");
  };
  WithServer(endless,
             [](Net& net) -> Task<void> { co_await ExpectError(Perform(net.client, net.Get("/")), Errc::kLimit); });
}

TEST_CASE("interim answers without end are refused") {
  const auto endless = [](Peer& peer) -> Task<void> {
    co_await peer.Receive();
    for (int i = 0; i < 100'000; ++i) co_await peer.Send("HTTP/1.1 102 Processing\r\n\r\n");
  };
  WithServer(endless,
             [](Net& net) -> Task<void> { co_await ExpectError(Perform(net.client, net.Get("/")), Errc::kLimit); });
}

TEST_CASE("a reset is an error, before and in the body") {
  const auto reset = [](Peer& peer) -> Task<void> {
    co_await peer.Receive();
    if (peer.number() > 0) co_await peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
    peer.Reset();
  };
  WithServer(reset, [](Net& net) -> Task<void> {
    for (int i = 0; i < 2; ++i) co_await ExpectError(Perform(net.client, net.Get("/")), Errc::kIo);
  });
}

TEST_CASE("a server that never answers is given up") {
  const auto silent = [](Peer& peer) -> Task<void> { co_await peer.AwaitEnd(); };
  WithServer(silent, [](Net& net) -> Task<void> {
    ClientRequest request = net.Get("/");
    request.patience.answer = 20ms;
    co_await ExpectError(Perform(net.client, request), Errc::kTimeout);
  });
}

// Sends a byte every few milliseconds, for ever.
Task<void> Trickle(runtime::Engine& engine, Peer& peer, std::string first, std::string then) {
  co_await peer.Receive();
  co_await peer.Send(std::move(first));
  for (int i = 0; i < 100'000; ++i) {
    co_await runtime::Sleep(engine, 2ms);
    co_await peer.Send(then);
  }
}

Task<void> TrickleHere(Peer& peer, std::string first, std::string then) {
  const runtime::Context& context = co_await runtime::CurrentContext();
  co_await Trickle(context.engine, peer, std::move(first), std::move(then));
}

TEST_CASE("a header that trickles in is given up") {
  const auto slow = [](Peer& peer) { return TrickleHere(peer, "HTTP/1.1 200 OK\r\nX-A: ", "b"); };
  WithServer(slow, [](Net& net) -> Task<void> {
    ClientRequest request = net.Get("/");
    request.patience.answer = 50ms;
    co_await ExpectError(Perform(net.client, request), Errc::kTimeout);
  });
}

TEST_CASE("a body that trickles in is given up") {
  const auto slow = [](Peer& peer) {
    return TrickleHere(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "b");
  };
  WithServer(slow, [](Net& net) -> Task<void> {
    ClientRequest request = net.Get("/");
    request.patience.low_speed_bytes = 1000;
    request.patience.low_speed_window = 30ms;
    co_await ExpectError(Perform(net.client, request), Errc::kTimeout);
  });
}

TEST_CASE("a body that comes in time is not given up because its reader takes its time") {
  WithServer(Always(Answer(200, "", std::string(400'000, 'x'))), [](Net& net) -> Task<void> {
    ClientRequest request = net.Get("/");
    request.patience.low_speed_bytes = 1000;
    request.patience.low_speed_window = 300ms;
    const std::unique_ptr<Exchange> exchange = co_await net.client.Send(request);
    co_await runtime::Sleep(net.env.engine(), 350ms);
    const std::string body = co_await ReadBody(*exchange, kMiB);
    CHECK(body.size() == 400'000);
  });
}

TEST_CASE("a server that does not take an upload is given up") {
  const auto deaf = [](Peer& peer) -> Task<void> {
    co_await peer.Send("HTTP/1.1 100 Continue\r\n\r\n");
    const runtime::Context& context = co_await runtime::CurrentContext();
    co_await runtime::Sleep(context.engine, 1h);
  };
  WithServer(deaf, [](Net& net) -> Task<void> {
    ClientRequest request("PUT", net.server.At("/"));
    request.body.resize(32 * kMiB);  // more than the buffers of the kernel take
    request.patience.low_speed_bytes = 64 * kMiB;
    request.patience.low_speed_window = 30ms;
    co_await ExpectError(Perform(net.client, request), Errc::kTimeout);
  });
}

}  // namespace
}  // namespace sluice::http
