// SPDX-License-Identifier: Apache-2.0
#include "support/scripted_server.h"

#include <arpa/inet.h>  // for htonl
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/fd.h"

namespace sluice::test {

using runtime::Task;

Task<bool> Peer::Fill() {
  std::array<std::byte, 4096> buffer;
  const size_t got = co_await socket_.ReadSome(buffer);
  received_ += AsText(ConstBytes(buffer).first(got));
  co_return got > 0;
}

Task<std::optional<ServerRequest>> Peer::Receive() {
  size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!co_await Fill()) co_return std::nullopt;
  }
  ServerRequest request;
  const std::string head = received_.substr(0, end + 2);
  received_.erase(0, end + 4);
  const size_t space = head.find(' ');
  request.method = head.substr(0, space);
  request.target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
  for (size_t at = head.find("\r\n") + 2; at < head.size();) {
    const size_t line_end = head.find("\r\n", at);
    const size_t colon = head.find(':', at);
    const size_t value = std::min(head.find_first_not_of(' ', colon + 1), line_end);
    std::string name = head.substr(at, colon - at);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    request.fields[name] = head.substr(value, line_end - value);
    at = line_end + 2;
  }
  if (request.fields.count("expect") > 0) co_await Send("HTTP/1.1 100 Continue\r\n\r\n");
  const size_t length = request.fields.count("content-length") > 0 ? std::stoul(request.fields["content-length"]) : 0;
  while (received_.size() < length) {
    if (!co_await Fill()) co_return std::nullopt;
  }
  request.body = received_.substr(0, length);
  received_.erase(0, length);
  co_return request;
}

Task<void> Peer::Send(std::string bytes) {
  try {
    co_await socket_.WriteAll(AsBytes(bytes));
  } catch (const Error& error) {
    if (error.code() != Errc::kIo) throw;
  }
}

void Peer::Reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  socket_.Close();
}

Task<void> Peer::AwaitEnd() {
  for (;;) {
    const bool more = co_await Fill();  // g++ 12 makes an illegal instruction of it as the condition of a while
    if (!more) co_return;
    received_.clear();
  }
}

ScriptedServer::ScriptedServer(runtime::Engine& engine, Script script)
    : script_(std::move(script)), scope_(engine, "scripted server") {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) < 0 || listen(fd.get(), 64) < 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0) {
    ThrowErrno(errno, "scripted server");
  }
  port_ = ntohs(address.sin_port);
  listener_ = runtime::Listener::Adopt(engine, std::move(fd));
  scope_.Spawn(Accept());
}

http::Url ScriptedServer::At(std::string_view path) const {
  return http::Url::Parse(fmt::format("http://127.0.0.1:{}{}", port_, path));
}

Task<void> ScriptedServer::Accept() {
  for (;;) scope_.Spawn(Serve(co_await listener_.Accept()));
}

Task<void> ScriptedServer::Serve(runtime::Socket socket) {
  Peer peer(std::move(socket), connections_++);
  try {
    co_await script_(peer);
  } catch (const Error& error) {
    if (error.code() != Errc::kIo) throw;  // the client has left in the middle
  }
}

Task<void> ScriptedServer::Stop() {
  scope_.RequestStop();
  co_await scope_.Join();
}

namespace {

Task<void> AnswerAll(Peer& peer, const std::function<std::string(const ServerRequest&)>& answer) {
  for (;;) {
    const std::optional<ServerRequest> request = co_await peer.Receive();
    if (!request) co_return;
    co_await peer.Send(answer(*request));
  }
}

}  // namespace

ScriptedServer::Script AnswerEach(std::function<std::string(const ServerRequest&)> answer) {
  return [answer = std::move(answer)](Peer& peer) { return AnswerAll(peer, answer); };
}

std::string Answer(unsigned status, std::string_view fields, std::string_view body) {
  return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, fields, body.size(), body);
}

}  // namespace sluice::test
