// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server on the loopback that does what a script says, lies included.  Runs on the engine of the test.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/url.h"
#include "runtime/engine.h"
#include "runtime/scope.h"
#include "runtime/socket.h"
#include "runtime/task.h"

namespace sluice::test {

struct ServerRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;                           // of Content-Length
};

// One connection, as the script sees it.
class Peer {
 public:
  // `number`: 0 for the server's first connection.
  Peer(runtime::Socket socket, size_t number) noexcept : socket_(std::move(socket)), number_(number) {}

  size_t number() const noexcept { return number_; }
  // The next request; nothing when the client has left.
  runtime::Task<std::optional<ServerRequest>> Receive();
  // Nothing happens when the client has left.
  runtime::Task<void> Send(std::string bytes);
  // The client sees a reset instead of an end.
  void Reset();
  // Ends when the client leaves.
  runtime::Task<void> AwaitEnd();

 private:
  // False at the end.
  runtime::Task<bool> Fill();
  runtime::Socket socket_;
  const size_t number_;
  std::string received_;
};

class ScriptedServer {
 public:
  // What to do with a connection, which is closed at its end.
  using Script = std::function<runtime::Task<void>(Peer&)>;

  // Listens from now on.  `engine` outlives it.
  ScriptedServer(runtime::Engine& engine, Script script);

  uint16_t port() const noexcept { return port_; }
  // "http://127.0.0.1:PORT" and `path`.
  http::Url At(std::string_view path) const;
  size_t connections() const noexcept { return connections_; }
  // Ends all scripts.  Awaited before the end.
  runtime::Task<void> Stop();

 private:
  runtime::Task<void> Accept();
  runtime::Task<void> Serve(runtime::Socket socket);

  const Script script_;
  uint16_t port_ = 0;
  size_t connections_ = 0;
  runtime::Listener listener_;
  runtime::Scope scope_;
};

// A script that answers each request with what `answer` returns, byte by byte as it is.
ScriptedServer::Script AnswerEach(std::function<std::string(const ServerRequest&)> answer);

// "HTTP/1.1 STATUS X", the fields (each with its "\r\n"), a fitting Content-Length, and the body.
std::string Answer(unsigned status, std::string_view fields, std::string_view body);

}  // namespace sluice::test
