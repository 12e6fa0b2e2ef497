// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <utility>

#include "http/connection.h"
#include "runtime/scope.h"
#include "runtime/timer.h"

namespace sluice::http {

using runtime::Task;

namespace {

// Out of descriptors: connections that end give some back.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Server::Server(runtime::Engine& engine, runtime::Listener listener, Handler& handler, ServerOptions options)
    : engine_(engine),
      listener_(std::move(listener)),
      handler_(handler),
      options_(options),
      slots_(options.connections) {}

Task<void> Server::Run() {
  runtime::Scope connections(engine_, "API connections");
  const Error end = co_await AcceptAll(connections);
  listener_.Close();
  connections.RequestStop();
  co_await connections.Join();
  if (end.code() != Errc::kStopped) throw end;
}

Task<Error> Server::AcceptAll(runtime::Scope& connections) {
  for (;;) {
    bool pause = false;
    try {
      runtime::Permit slot = co_await slots_.Acquire(1);
      runtime::Socket socket = co_await listener_.Accept();
      connections.Spawn(Serve(std::move(socket), std::move(slot)));
    } catch (const Error& e) {
      if (e.code() != Errc::kLimit) co_return e;
      pause = true;
    }
    try {
      if (pause) co_await runtime::Sleep(engine_, kAcceptPause);
    } catch (const Error& e) {
      co_return e;
    }
  }
}

Task<void> Server::Serve(runtime::Socket socket, [[maybe_unused]] runtime::Permit slot) {
  Connection connection(engine_, std::move(socket), handler_, options_);
  try {
    co_await connection.Serve();
  } catch (const Error&) {
    // The client left, was too slow, or the server stops: nobody is there to be told.
  }
}

}  // namespace sluice::http
