// SPDX-License-Identifier: Apache-2.0
#pragma once
// A client and a lying server on one engine, for tests of what a client makes of it.

#include <catch2/catch.hpp>
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "http/client.h"
#include "http/fetch.h"
#include "support/engines.h"
#include "support/scripted_server.h"

namespace sluice::http {

struct Net {
  test::TestEnv& env;
  Client& client;
  test::ScriptedServer& server;

  ClientRequest Get(std::string_view path) { return ClientRequest("GET", server.At(path)); }
};

// Runs `body` on io_uring and on epoll; the simulator has no network.
inline void WithServer(const test::ScriptedServer::Script& script, const std::function<runtime::Task<void>(Net&)>& body,
                       const ClientOptions& options = {}) {
  const auto on_engine = [&](test::TestEnv& env) -> runtime::Task<void> {
    test::ScriptedServer server(env.engine(), script);
    Client client(env.engine(), options);
    Net net{env, client, server};
    std::exception_ptr failure;
    try {
      co_await body(net);
    } catch (...) {
      failure = std::current_exception();
    }
    co_await client.Close();
    co_await server.Stop();
    if (failure) std::rethrow_exception(failure);
  };
  test::RunOnEngines(on_engine, 0);
}

// Answers each request with the same bytes.
inline test::ScriptedServer::Script Always(std::string answer) {
  return test::AnswerEach([answer = std::move(answer)](const test::ServerRequest&) { return answer; });
}

// Sends `request` and reads all of the answer, of whatever status.
inline runtime::Task<std::string> BodyOf(Client& client, ClientRequest request) {
  const std::unique_ptr<Exchange> exchange = co_await client.Send(std::move(request));
  co_return co_await ReadBody(*exchange, 64 * kMiB);
}

// The same for its failure.
inline runtime::Task<void> Perform(Client& client, ClientRequest request) {
  co_await BodyOf(client, std::move(request));
}

// CHECK() names its expression twice, and g++ 12 then awaits it twice: tests await first.
inline runtime::Task<void> ExpectError(runtime::Task<void> task, Errc code) {
  const Errc got = co_await test::ErrorOf(std::move(task));
  CHECK(got == code);
}
inline runtime::Task<void> ExpectBody(Client& client, ClientRequest request, std::string expected) {
  const std::string got = co_await BodyOf(client, std::move(request));
  CHECK((got == expected));  // not printed: it may have megabytes
}

}  // namespace sluice::http
