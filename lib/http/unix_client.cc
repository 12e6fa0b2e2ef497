// SPDX-License-Identifier: Apache-2.0
#include "http/unix_client.h"

#include <utility>

#include "base/limits.h"
#include "http/client.h"
#include "http/fetch.h"
#include "runtime/engine.h"

namespace sluice::http {

using runtime::Task;

namespace {

constexpr uint64_t kMaxAnswer = 64 * kMiB;  // the list of some hundred thousand mounts

Task<Response> Send(Client& client, ClientRequest request) {
  const std::unique_ptr<Exchange> exchange = co_await client.Send(std::move(request));
  Response response{.status = exchange->status()};
  if (const auto type = exchange->head().Find("Content-Type")) response.content_type = *type;
  response.body = co_await ReadBody(*exchange, kMaxAnswer);
  co_return response;
}

}  // namespace

struct UnixClient::State {
  explicit State(std::string path)
      : socket(std::move(path)), engine(runtime::MakeEngine(runtime::EngineKind::kAuto)), client(*engine) {}
  ~State() { engine->Run(client.Close()); }

  const std::string socket;
  const std::unique_ptr<runtime::Engine> engine;
  Client client;
};

UnixClient::UnixClient(std::string socket) : state_(std::make_unique<State>(std::move(socket))) {}
UnixClient::~UnixClient() = default;

Response UnixClient::Perform(std::string_view method, std::string_view target, std::string_view body) {
  const std::string& socket = state_->socket;
  if (socket.empty()) Throw(Errc::kInvalidArgument, "socket '': the path is empty");
  ClientRequest request(std::string(method), Url::Parse("http://localhost" + std::string(target)));
  if (!body.empty()) request.fields.push_back({.name = "Content-Type", .value = "application/json"});
  request.body = body;
  request.connect.unix_socket = socket;
  request.patience.answer.reset();
  request.patience.low_speed_bytes = 0;
  try {
    return state_->engine->Run(Send(state_->client, std::move(request)));
  } catch (Error& error) {
    if (error.code() == Errc::kNotFound) Throw(Errc::kNotFound, "socket '{}': nothing listens there", socket);
    error.AddContext("socket '" + socket + "'");
    throw;
  }
}

}  // namespace sluice::http
