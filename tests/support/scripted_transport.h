// SPDX-License-Identifier: Apache-2.0
#pragma once
// A transport without a network: a function answers.  Runs on all engines, the simulator included.

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "http/transport.h"
#include "runtime/context.h"
#include "runtime/timer.h"

namespace sluice::test {

// What a server does with one request.
struct ScriptedAnswer {
  http::ResponseHead head{.status = 200};
  std::string body;
  std::optional<Error> failure;  // in place of an answer
  std::optional<size_t> cut_at;  // the body breaks with kIo after so many bytes
  Duration delay{};              // before the header
  std::optional<http::IpAddress> peer;
  Duration piece_delay{};   // before each piece of the body
  size_t piece = SIZE_MAX;  // most bytes that one read gives
};

class ScriptedTransport final : public http::Transport {
 public:
  using Script = std::function<ScriptedAnswer(const http::ClientRequest&)>;

  explicit ScriptedTransport(Script script) : script_(std::move(script)) {}

  runtime::Task<std::unique_ptr<http::Exchange>> Send(http::ClientRequest request) override {
    const runtime::Context& context = co_await runtime::CurrentContext();
    requests_.push_back(request);
    ScriptedAnswer answer = script_(request);
    if (answer.delay > Duration::zero()) co_await runtime::Sleep(context.engine, answer.delay);
    context.stop.ThrowIfRequested();
    if (answer.failure) throw Error(*answer.failure);
    co_return std::make_unique<Answered>(std::move(request.url), std::move(answer));
  }

  // What was asked, in order.
  const std::vector<http::ClientRequest>& requests() const noexcept { return requests_; }

 private:
  class Answered final : public http::Exchange {
   public:
    Answered(http::Url url, ScriptedAnswer answer) : url_(std::move(url)), answer_(std::move(answer)) {}
    const http::ResponseHead& head() const noexcept override { return answer_.head; }
    const http::Url& url() const noexcept override { return url_; }
    std::optional<http::IpAddress> peer() const noexcept override { return answer_.peer; }
    runtime::Task<size_t> ReadSome(MutableBytes dst) override {
      const runtime::Context& context = co_await runtime::CurrentContext();
      if (answer_.piece_delay > Duration::zero()) co_await runtime::Sleep(context.engine, answer_.piece_delay);
      context.stop.ThrowIfRequested();
      const size_t end = std::min(answer_.body.size(), answer_.cut_at.value_or(SIZE_MAX));
      const size_t count = std::min({dst.size(), end - next_, answer_.piece});
      if (count == 0 && answer_.cut_at) Throw(Errc::kIo, "the connection is cut after {} bytes", next_);
      if (count > 0) std::memcpy(dst.data(), answer_.body.data() + next_, count);
      next_ += count;
      co_return count;
    }

   private:
    const http::Url url_;
    const ScriptedAnswer answer_;
    size_t next_ = 0;
  };

  const Script script_;
  std::vector<http::ClientRequest> requests_;
};

}  // namespace sluice::test
