// SPDX-License-Identifier: Apache-2.0
#pragma once
// An HTTP/1.1 server on a listening socket.  Belongs to one shard and never blocks it.

#include "base/clock.h"
#include "base/error.h"
#include "http/message.h"
#include "http/request_parser.h"
#include "runtime/engine.h"
#include "runtime/semaphore.h"
#include "runtime/socket.h"
#include "runtime/task.h"

namespace sluice::runtime {
class Scope;
}

namespace sluice::http {

// What the server serves.  Called for many connections at once.
class Handler {
 public:
  virtual ~Handler() = default;
  // The answer to a request.  An Error becomes Explain(StatusOf(code), error).
  virtual runtime::Task<Response> Handle(Request request) = 0;
  // The answer for an error of Handle, or for bytes that are no request.
  virtual Response Explain(unsigned status, const Error& error) const = 0;
};

struct ServerOptions {
  RequestLimits limits;
  uint64_t connections = 64;  // further clients wait in the socket's backlog
  // From the end of an answer (or the accept) to the end of the next request: bounds idle and slow clients alike.
  Duration request_timeout = std::chrono::seconds(30);
  Duration answer_timeout = std::chrono::seconds(30);  // for a client to take an answer
};

class Server {
 public:
  // `engine` and `handler` outlive the server.
  Server(runtime::Engine& engine, runtime::Listener listener, Handler& handler, ServerOptions options = {});

  // Serves until a stop is requested, then ends: requests that are being handled are finished and answered, idle
  // connections and half-sent requests are dropped, nothing is accepted any more.  Throws the error of a listener that
  // broke.  Called once; the server outlives the task.
  runtime::Task<void> Run();

 private:
  // Accepts until an error and returns it; kStopped is one.
  runtime::Task<Error> AcceptAll(runtime::Scope& connections);
  runtime::Task<void> Serve(runtime::Socket socket, runtime::Permit slot);

  runtime::Engine& engine_;
  runtime::Listener listener_;
  Handler& handler_;
  const ServerOptions options_;
  runtime::Semaphore slots_;
};

}  // namespace sluice::http
