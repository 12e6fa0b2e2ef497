// SPDX-License-Identifier: Apache-2.0
#include "http/unix_client.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>

#include "http/server.h"
#include "runtime/run_on.h"
#include "runtime/scope.h"
#include "runtime/shard.h"
#include "support/temporary_directory.h"

namespace sluice::http {
namespace {

using runtime::Task;

// Answers with what it was asked; a path of digits with so many bytes.
class Mirror final : public Handler {
 public:
  Task<Response> Handle(Request request) override {
    if (request.path == "/gone") Throw(Errc::kNotFound, "it is gone");
    const size_t bytes = std::strtoul(request.path.c_str() + 1, nullptr, 10);
    Response response{.status = 201, .content_type = "text/plain", .body = std::string(bytes, 'x')};
    if (bytes == 0) {
      response.body = request.method + " " + request.path + " " + request.body;
      for (const auto& [name, value] : request.query) response.body += " " + name + "=" + value;
    }
    co_return response;
  }
  Response Explain(unsigned status, const Error& error) const override {
    return {.status = status, .content_type = "text/plain", .body = error.message()};
  }
};

// A server on a thread of its own.
class ServerThread {
 public:
  ServerThread() : shards_(1, runtime::EngineKind::kAuto) {
    runtime::BlockOn(shards_[0], [this] { return Start(); });
  }
  ~ServerThread() {
    runtime::BlockOn(shards_[0], [this] { return Stop(); });
  }
  std::string socket() const { return directory_ / "socket"; }

 private:
  Task<void> Start() {
    runtime::Engine& engine = shards_[0].engine();
    runtime::Listener listener = co_await runtime::Listener::Listen(engine, socket());
    server_ = std::make_unique<Server>(engine, std::move(listener), mirror_);
    scope_ = std::make_unique<runtime::Scope>(engine, "server of a test");
    scope_->Spawn(server_->Run());
  }
  Task<void> Stop() {
    scope_->RequestStop();
    co_await scope_->Join();
    scope_.reset();
    server_.reset();
  }

  Mirror mirror_;
  const test::TemporaryDirectory directory_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<runtime::Scope> scope_;
  runtime::Shards shards_;
};

Errc CodeOf(UnixClient& client) {
  try {
    client.Perform("GET", "/");
  } catch (const Error& e) {
    return e.code();
  }
  FAIL("no error");
  return Errc::kIo;
}

TEST_CASE("the client and the server understand each other") {
  ServerThread server;
  UnixClient client(server.socket());
  const Response get = client.Perform("GET", "/a?mountpoint=%2Fx%20y");
  CHECK(get == Response{.status = 201, .content_type = "text/plain", .body = "GET /a  mountpoint=/x y"});
  CHECK(client.Perform("POST", "/b", "{\"c\":1}").body == "POST /b {\"c\":1}");
  CHECK(client.Perform("DELETE", "/d").body == "DELETE /d ");
  const Response gone = client.Perform("GET", "/gone");
  CHECK(gone.status == 404);
  CHECK(gone.body == "it is gone");
}

TEST_CASE("an answer may be large, but not without end") {
  ServerThread server;
  UnixClient client(server.socket());
  CHECK(client.Perform("GET", "/10000000").body.size() == 10'000'000);
  try {
    client.Perform("GET", "/70000000");
    FAIL("taken");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kLimit);
  }
}

TEST_CASE("a client says whether nobody listens, or whether the path is no socket's") {
  std::string socket;
  {
    ServerThread server;
    socket = server.socket();
  }
  UnixClient nobody(socket);
  CHECK(CodeOf(nobody) == Errc::kNotFound);
  UnixClient too_long("/tmp/" + std::string(200, 'x'));
  CHECK(CodeOf(too_long) == Errc::kInvalidArgument);
  UnixClient empty("");
  CHECK(CodeOf(empty) == Errc::kInvalidArgument);
}

}  // namespace
}  // namespace sluice::http
