// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "runtime/combine.h"

namespace sluice::http {

using runtime::Task;

namespace {

constexpr size_t kReadBytes = 16 * kKiB;
constexpr uint64_t kMaxDrained = 4 * kMiB;  // of a refused request; who sends more sees a broken pipe

std::string Head(const Response& response, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, ReasonPhrase(response.status));
  if (response.status != 204) fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", response.body.size());
  if (!response.content_type.empty()) {
    fmt::format_to(std::back_inserter(head), "Content-Type: {}\r\n", response.content_type);
  }
  if (!response.allow.empty()) fmt::format_to(std::back_inserter(head), "Allow: {}\r\n", response.allow);
  if (!keep_alive) head += "Connection: close\r\n";
  return head += "\r\n";
}

Task<void> Drain(runtime::Socket& socket, MutableBytes buffer) {
  for (uint64_t drained = 0; drained < kMaxDrained;) {
    const size_t count = co_await socket.ReadSome(buffer);
    if (count == 0) break;
    drained += count;
  }
}

}  // namespace

Connection::Connection(runtime::Engine& engine, runtime::Socket socket, Handler& handler, const ServerOptions& options)
    : engine_(engine),
      socket_(std::move(socket)),
      handler_(handler),
      options_(options),
      parser_(options.limits),
      buffer_(kReadBytes) {}

Task<void> Connection::Serve() {
  bool open = true;
  while (open) {
    bool late = false;
    try {
      co_await runtime::WithTimeout(engine_, options_.request_timeout, Receive());
    } catch (const Error& e) {
      // Who has sent nothing is idle and needs no answer.
      if (e.code() != Errc::kTimeout || !parser_.started()) throw;
      late = true;
    }
    if (late) refusal_ = handler_.Explain(408, Error(Errc::kTimeout, "HTTP request: not complete in time"));
    std::optional<Request> request;
    if (!refusal_ && parser_.complete()) {
      try {
        request = parser_.Take();
      } catch (const Error& e) {
        refusal_ = handler_.Explain(parser_.refusal_status(), e);
      }
    }
    if (request) {
      open = co_await runtime::WithoutStop(Answer(*std::move(request)));
    } else {
      open = false;
      if (refusal_) co_await Refuse(*std::move(refusal_));
    }
  }
}

Task<void> Connection::Receive() {
  bool told_to_continue = false;
  while (!parser_.complete()) {
    if (next_ == filled_) {
      next_ = filled_ = 0;
      filled_ = co_await socket_.ReadSome(buffer_);
      if (filled_ == 0) co_return;
    }
    try {
      next_ += parser_.Feed(ConstBytes(buffer_).subspan(next_, filled_ - next_));
    } catch (const Error& e) {
      refusal_ = handler_.Explain(parser_.refusal_status(), e);
      co_return;
    }
    if (parser_.expects_continue() && !told_to_continue) {
      told_to_continue = true;
      co_await socket_.WriteAll(AsBytes("HTTP/1.1 100 Continue\r\n\r\n"));
    }
  }
}

Task<bool> Connection::Answer(Request request) {
  const bool keep_alive = request.keep_alive;
  const bool with_body = request.method != "HEAD";
  Response response;
  try {
    response = co_await handler_.Handle(std::move(request));
  } catch (const Error& e) {
    response = handler_.Explain(StatusOf(e.code()), e);
  } catch (const std::exception& e) {
    response = handler_.Explain(500, Error(Errc::kIo, e.what()));
  }
  co_await Send(std::move(response), keep_alive, with_body);
  co_return keep_alive;
}

Task<void> Connection::Send(Response response, bool keep_alive, bool with_body) {
  std::string text = Head(response, keep_alive);
  if (with_body) text += response.body;
  co_await runtime::WithTimeout(engine_, options_.answer_timeout, socket_.WriteAll(AsBytes(text)));
}

Task<void> Connection::Refuse(Response response) {
  co_await Send(std::move(response), false, true);
  socket_.ShutdownSend();
  co_await runtime::WithTimeout(engine_, options_.answer_timeout, Drain(socket_, buffer_));
}

}  // namespace sluice::http
