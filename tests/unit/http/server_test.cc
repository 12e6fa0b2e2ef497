// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/combine.h"
#include "runtime/event.h"
#include "runtime/scope.h"
#include "runtime/timer.h"
#include "support/engines.h"

namespace sluice::http {
namespace {

using runtime::Socket;
using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;

// Says what it was asked; some paths do something else.
class EchoHandler final : public Handler {
 public:
  Task<Response> Handle(Request request) override {
    ++handled;
    if (request.path == "/wait") {
      waiting.Set();
      co_await go_on.Wait();
    }
    if (request.path == "/missing") Throw(Errc::kNotFound, "it is missing");
    if (request.path == "/bug") throw std::logic_error("a bug");
    if (request.path == "/empty") co_return Response{.status = 204};
    co_return Response{.content_type = "text/plain", .body = request.method + " " + request.path + " " + request.body};
  }
  Response Explain(unsigned status, const Error& error) const override {
    return {.status = status, .content_type = "text/plain", .body = error.message()};
  }

  int handled = 0;
  runtime::Event waiting;  // somebody asked for /wait
  runtime::Event go_on;    // lets them have their answers
};

// A server that runs in a scope until Stop().
class Running {
 public:
  Running(TestEnv& env, runtime::Listener listener, Handler& handler, ServerOptions options)
      : server_(env.engine(), std::move(listener), handler, options), scope_(env.engine(), "server of a test") {
    scope_.Spawn(server_.Run());
  }
  void RequestStop() { scope_.RequestStop(); }
  Task<void> Stop() {
    scope_.RequestStop();
    co_await scope_.Join();
  }
  Task<void> Join() { co_await scope_.Join(); }

 private:
  Server server_;
  runtime::Scope scope_;
};

Task<std::string> ReadToEnd(Socket& socket) {
  std::string text;
  std::vector<std::byte> buffer(512);
  for (;;) {
    const size_t count = co_await socket.ReadSome(buffer);
    if (count == 0) co_return text;
    text += AsText(ConstBytes(buffer).first(count));
  }
}

// Reads until `text` ends with `tail`, or to the end.
Task<std::string> ReadUntil(Socket& socket, std::string tail) {
  std::string text;
  std::vector<std::byte> buffer(1);
  while (!text.ends_with(tail)) {
    if (co_await socket.ReadSome(buffer) == 0) break;
    text += AsText(buffer);
  }
  co_return text;
}

// Sends `request`, then no more, and returns all that comes back.
Task<std::string> Exchange(TestEnv& env, std::string request) {
  Socket socket = co_await Socket::Connect(env.engine(), env.Path("socket"));
  co_await socket.WriteAll(AsBytes(request));
  socket.ShutdownSend();
  co_return co_await ReadToEnd(socket);
}

// Runs `client` against a server with `options` on every engine.
using Client = std::function<Task<void>(TestEnv&, EchoHandler&, Running&)>;

Task<void> ServeOnce(TestEnv& env, const Client& client, ServerOptions options) {
  EchoHandler handler;
  runtime::Listener listener = co_await runtime::Listener::Listen(env.engine(), env.Path("socket"));
  Running server(env, std::move(listener), handler, options);
  co_await client(env, handler, server);
  co_await server.Stop();
}

void Serve(const Client& client, ServerOptions options = {}) {
  RunOnEngines([&](TestEnv& env) { return ServeOnce(env, client, options); });
}

TEST_CASE("a request gets its answer") {
  Serve([](TestEnv& env, EchoHandler&, Running&) -> Task<void> {
    const std::string answer = co_await Exchange(env, "POST /a%20b HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz");
    CHECK(answer == "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nPOST /a b xyz");
  });
}

TEST_CASE("a connection serves one request after the other, also when they are sent at once") {
  Serve([](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
    const std::string answer = co_await Exchange(env,
                                                 "GET /1 HTTP/1.1\r\n\r\n"
                                                 "HEAD /2 HTTP/1.1\r\n\r\n"
                                                 "GET /empty HTTP/1.1\r\n\r\n"
                                                 "GET /4 HTTP/1.1\r\nConnection: close\r\n\r\n"
                                                 "GET /5 HTTP/1.1\r\n\r\n");
    CHECK(answer ==
          "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: text/plain\r\n\r\nGET /1 "
          "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Type: text/plain\r\n\r\n"
          "HTTP/1.1 204 No Content\r\n\r\n"
          "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nGET /4 ");
    CHECK(handler.handled == 4);
  });
}

TEST_CASE("errors of the handler are explained and do not end the connection") {
  Serve([](TestEnv& env, EchoHandler&, Running&) -> Task<void> {
    const std::string answer =
        co_await Exchange(env, "GET /missing HTTP/1.1\r\n\r\nGET /bug HTTP/1.1\r\n\r\nGET /%zz HTTP/1.1\r\n\r\n");
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n"));
    CHECK_THAT(answer, Catch::Contains("\r\n\r\nit is missingHTTP/1.1 500 Internal Server Error\r\n"));
    CHECK_THAT(answer, Catch::Contains("\r\n\r\na bugHTTP/1.1 400 Bad Request\r\n"));
  });
}

TEST_CASE("what is no request is refused and ends the connection") {
  Serve([](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
    const std::string answer = co_await Exchange(env, "nonsense\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    CHECK_THAT(answer, Catch::Contains("Connection: close\r\n"));
    CHECK(handler.handled == 0);
  });
}

TEST_CASE("a client that sends too much is told so, although it sends on") {
  ServerOptions options;
  options.limits.body_bytes = 100;
  Serve(
      [](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
        std::string request = "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n";
        request.append(1'000'000, 'x');
        const std::string answer = co_await Exchange(env, std::move(request));
        CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 413 Content Too Large\r\n"));
        CHECK(handler.handled == 0);
      },
      options);
}

TEST_CASE("a client that asks before it sends a body is told to go on") {
  Serve([](TestEnv& env, EchoHandler&, Running&) -> Task<void> {
    Socket socket = co_await Socket::Connect(env.engine(), env.Path("socket"));
    const std::string head = "POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    co_await socket.WriteAll(AsBytes(head));
    const std::string go_on = co_await ReadUntil(socket, "\r\n\r\n");
    CHECK(go_on == "HTTP/1.1 100 Continue\r\n\r\n");
    const std::string body = "ok";
    co_await socket.WriteAll(AsBytes(body));
    const std::string answer = co_await ReadUntil(socket, "POST /b ok");
    CHECK_THAT(answer, Catch::EndsWith("POST /b ok"));
  });
}

TEST_CASE("a client that sends nothing is dropped, one that sends half a request is told why") {
  ServerOptions options;
  options.request_timeout = std::chrono::milliseconds(5);
  Serve(
      [](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
        Socket idle = co_await Socket::Connect(env.engine(), env.Path("socket"));
        const std::string nothing = co_await ReadToEnd(idle);
        CHECK(nothing == "");
        Socket slow = co_await Socket::Connect(env.engine(), env.Path("socket"));
        const std::string half = "GET / HTTP/1.1\r\nA: ";
        co_await slow.WriteAll(AsBytes(half));
        const std::string answer = co_await ReadToEnd(slow);
        CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
        CHECK(handler.handled == 0);
      },
      options);
}

TEST_CASE("a request that takes longer than a client may be idle is still answered") {
  ServerOptions options;
  options.request_timeout = std::chrono::milliseconds(5);
  Serve(
      [](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
        Socket socket = co_await Socket::Connect(env.engine(), env.Path("socket"));
        const std::string request = "GET /wait HTTP/1.1\r\n\r\n";
        co_await socket.WriteAll(AsBytes(request));
        co_await handler.waiting.Wait();
        co_await runtime::Sleep(env.engine(), std::chrono::milliseconds(20));
        handler.go_on.Set();
        const std::string answer = co_await ReadUntil(socket, "GET /wait ");
        CHECK_THAT(answer, Catch::EndsWith("GET /wait "));
      },
      options);
}

TEST_CASE("a client beyond the limit waits until another one leaves") {
  ServerOptions options;
  options.connections = 1;
  Serve(
      [](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
        Socket first = co_await Socket::Connect(env.engine(), env.Path("socket"));
        const std::string wait = "GET /wait HTTP/1.1\r\nConnection: close\r\n\r\n";
        co_await first.WriteAll(AsBytes(wait));
        co_await handler.waiting.Wait();
        Socket second = co_await Socket::Connect(env.engine(), env.Path("socket"));
        const std::string request = "GET /second HTTP/1.1\r\nConnection: close\r\n\r\n";
        co_await second.WriteAll(AsBytes(request));
        CHECK(handler.handled == 1);
        handler.go_on.Set();
        const std::string first_answer = co_await ReadToEnd(first);
        CHECK_THAT(first_answer, Catch::EndsWith("GET /wait "));
        const std::string second_answer = co_await ReadToEnd(second);
        CHECK_THAT(second_answer, Catch::EndsWith("GET /second "));
      },
      options);
}

TEST_CASE("a client that leaves before its answer harms nobody") {
  Serve([](TestEnv& env, EchoHandler& handler, Running&) -> Task<void> {
    {
      Socket socket = co_await Socket::Connect(env.engine(), env.Path("socket"));
      const std::string request = "GET /wait HTTP/1.1\r\n\r\n";
      co_await socket.WriteAll(AsBytes(request));
      co_await handler.waiting.Wait();
    }
    handler.go_on.Set();
    const std::string answer = co_await Exchange(env, "GET /next HTTP/1.1\r\n\r\n");
    CHECK_THAT(answer, Catch::EndsWith("GET /next "));
  });
}

TEST_CASE("a stop lets the request that is being handled finish, and drops who is idle") {
  Serve([](TestEnv& env, EchoHandler& handler, Running& server) -> Task<void> {
    Socket idle = co_await Socket::Connect(env.engine(), env.Path("socket"));
    Socket busy = co_await Socket::Connect(env.engine(), env.Path("socket"));
    const std::string request = "GET /wait HTTP/1.1\r\n\r\n";
    co_await busy.WriteAll(AsBytes(request));
    co_await handler.waiting.Wait();
    server.RequestStop();
    const std::string nothing = co_await ReadToEnd(idle);
    CHECK(nothing == "");
    handler.go_on.Set();
    const std::string answer = co_await ReadToEnd(busy);
    CHECK_THAT(answer, Catch::EndsWith("GET /wait "));
    co_await server.Join();
    bool refused = false;
    try {
      co_await Socket::Connect(env.engine(), env.Path("socket"));
    } catch (const Error&) {
      refused = true;
    }
    CHECK(refused);
  });
}

}  // namespace
}  // namespace sluice::http
