// SPDX-License-Identifier: Apache-2.0
#include "runtime/socket.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using test::ErrorOf;
using test::RunOnEngines;
using test::TestEnv;

Task<std::string> ReadAll(Socket& socket) {
  std::string text;
  std::vector<std::byte> buffer(1000);
  for (;;) {
    const size_t got = co_await socket.ReadSome(buffer);
    if (got == 0) co_return text;
    text += AsText(ConstBytes(buffer).first(got));
  }
}

// Sends back what it reads until the peer has no more.
Task<void> Echo(Socket socket) {
  std::vector<std::byte> buffer(777);
  for (;;) {
    const size_t got = co_await socket.ReadSome(buffer);
    if (got == 0) co_return;
    co_await socket.WriteAll(ConstBytes(buffer).first(got));
  }
}

Task<void> Serve(Scope& connections, Listener& listener, int count) {
  for (int i = 0; i < count; ++i) {
    Socket socket = co_await listener.Accept();
    connections.Spawn(Echo(std::move(socket)));
  }
}

Task<void> Send(Socket& socket, std::string text) {
  co_await socket.WriteAll(AsBytes(text));
  socket.ShutdownSend();
}

// More than the kernel's or the simulator's buffers hold, so that both sides have to wait.
TEST_CASE("several connections carry much more than a buffer both ways") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Listener listener = co_await Listener::Listen(env.engine(), env.Path("socket"));
    Scope scope(env.engine(), "server");
    scope.Spawn(Serve(scope, listener, 3));
    auto client = [](TestEnv& in, char name) -> Task<void> {
      Socket socket = co_await Socket::Connect(in.engine(), in.Path("socket"));
      const std::string text(in.simulator() != nullptr ? 30000 : 1000000, name);
      Scope sender(in.engine(), "sender");
      sender.Spawn(Send(socket, text));
      const std::string echoed = co_await ReadAll(socket);
      co_await sender.Join();
      CHECK(echoed == text);
    };
    for (const char name : {'a', 'b', 'c'}) scope.Spawn(client(env, name));
    co_await scope.Join();
  });
}

TEST_CASE("connecting and listening tell who is in the way") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    auto connect = [](TestEnv& in) -> Task<void> { co_await Socket::Connect(in.engine(), in.Path("socket")); };
    auto listen = [](TestEnv& in) -> Task<void> { co_await Listener::Listen(in.engine(), in.Path("socket")); };
    Errc code = co_await ErrorOf(connect(env));
    CHECK(code == Errc::kNotFound);
    Listener listener = co_await Listener::Listen(env.engine(), env.Path("socket"));
    code = co_await ErrorOf(listen(env));
    CHECK(code == Errc::kExists);
  });
}

TEST_CASE("a peer that has gone is an error to the sender and an end to the reader") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Listener listener = co_await Listener::Listen(env.engine(), env.Path("socket"));
    Socket client = co_await Socket::Connect(env.engine(), env.Path("socket"));
    Socket server = co_await listener.Accept();
    client.Close();
    std::vector<std::byte> buffer(10);
    const size_t got = co_await server.ReadSome(buffer);
    CHECK(got == 0);
    const Errc code = co_await ErrorOf(server.WriteAll(buffer));
    CHECK(code == Errc::kIo);
  });
}

TEST_CASE("a listener that waits ends with a stop request") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Listener listener = co_await Listener::Listen(env.engine(), env.Path("socket"));
    Scope scope(env.engine(), "server");
    scope.Spawn(Serve(scope, listener, 1));
    co_await Sleep(env.engine(), std::chrono::milliseconds(1));
    CHECK(scope.size() == 1);
    scope.RequestStop();
    co_await scope.Join();
    CHECK(scope.size() == 0);
  });
}

}  // namespace
}  // namespace sluice::runtime
