// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <sys/un.h>

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "http/curl/exchange.h"
#include "http/curl/multi.h"
#include "http/curl/socket_watches.h"
#include "http/host_slots.h"
#include "http/text.h"

namespace sluice::http {

using runtime::Task;

namespace {

// What becomes of a request on the wire is for its maker to decide, not for somebody who got a line break into a value.
void Check(const ClientRequest& request) {
  if (!IsToken(request.method)) Throw(Errc::kInvalidArgument, "request: '{}' is no method", request.method);
  for (const Field& field : request.fields) {
    if (!IsToken(field.name)) Throw(Errc::kInvalidArgument, "request: '{}' is no name of a header field", field.name);
    if (std::any_of(field.value.begin(), field.value.end(),
                    [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7F; })) {
      Throw(Errc::kInvalidArgument, "request: the header field '{}' holds a control character", field.name);
    }
    for (const std::string_view ours : {"Host", "Content-Length", "Transfer-Encoding", "Expect"}) {
      if (SameFieldName(field.name, ours)) {
        Throw(Errc::kInvalidArgument, "request: the header field '{}' is made by the client", field.name);
      }
    }
  }
  const std::string& socket = request.connect.unix_socket;
  if (socket.size() >= sizeof(sockaddr_un::sun_path)) {
    Throw(Errc::kInvalidArgument, "socket '{}': the path has {} bytes, allowed are 1 to {}", socket, socket.size(),
          sizeof(sockaddr_un::sun_path) - 1);
  }
}

}  // namespace

// Carries what libcurl wants to the engine, and back.
class Client::State final : private curl::Loop, private curl::SocketWatches::Listener, private runtime::Timer {
 public:
  State(runtime::Engine& engine, ClientOptions options)
      : engine_(engine),
        options_(std::move(options)),
        slots_(options_.requests_per_host, options_.background_per_host),
        watches_(engine, *this) {
    curl::Loop& loop = *this;
    multi_.emplace(loop, options_.idle_connections);
  }
  ~State() override { End(); }

  Task<std::unique_ptr<Exchange>> Send(ClientRequest request) {
    Check(request);
    HostSlot slot = co_await slots_.Acquire(request.url.origin(), request.lane);
    SLUICE_CHECK(multi_.has_value(), "a client is used after its end");
    auto exchange = std::make_unique<curl::ClientExchange>(engine_, *multi_, std::move(request), options_.user_agent,
                                                           options_.header_bytes, std::move(slot));
    co_await exchange->ReceiveHead();
    co_return exchange;
  }

  Task<void> Close() {
    End();
    co_await watches_.Join();
  }

 private:
  void End() noexcept {
    multi_.reset();
    engine_.Disarm(*this);
  }
  void Watch(int fd, bool readable, bool writable) noexcept override { watches_.Set(fd, readable, writable); }
  void SetTimer(std::optional<Duration> delay) noexcept override {
    engine_.Disarm(*this);
    if (delay) engine_.Arm(*this, engine_.Now() + *delay);
  }
  void OnReady(int fd, bool readable, bool writable, bool broken) noexcept override {
    multi_->OnReady(fd, readable, writable, broken);
  }
  void OnTimer() noexcept override { multi_->OnTimeout(); }

  runtime::Engine& engine_;
  const ClientOptions options_;
  HostSlots slots_;
  curl::SocketWatches watches_;
  std::optional<curl::Multi> multi_;  // before watches_ in its end
};

Client::Client(runtime::Engine& engine, ClientOptions options) {
  if (options.user_agent.empty()) options.user_agent = "sluice/" SLUICE_VERSION;
  SLUICE_CHECK(!engine.simulated(), "the simulator has no network");
  state_ = std::make_unique<State>(engine, std::move(options));
}

Client::~Client() = default;

Task<std::unique_ptr<Exchange>> Client::Send(ClientRequest request) { return state_->Send(std::move(request)); }

Task<void> Client::Close() { return state_->Close(); }

}  // namespace sluice::http
