// SPDX-License-Identifier: Apache-2.0
#include "http/curl/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "http/proxy.h"

namespace sluice::http::curl {

using runtime::Task;

namespace {

constexpr size_t kUploadBuffer = 256 * kKiB;

int64_t InMilliseconds(Duration duration) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

bool HasBody(const ClientRequest& request) noexcept {
  return request.upload != nullptr || !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

const Proxy* ProxyOf(const ClientRequest& request) {
  const ConnectOptions& connect = request.connect;
  return connect.proxies && connect.unix_socket.empty() ? connect.proxies->For(request.url) : nullptr;
}

// Runs its function at the end of a block, also when a coroutine leaves it by an exception.
template <typename F>
class AtEnd {
 public:
  explicit AtEnd(F function) noexcept : function_(function) {}
  ~AtEnd() { function_(); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  F function_;
};

}  // namespace

ClientExchange::ClientExchange(runtime::Engine& engine, Multi& multi, ClientRequest request,
                               const std::string& user_agent, uint64_t header_bytes, HostSlot slot)
    : engine_(engine), request_(std::move(request)), parser_(header_bytes), slot_(std::move(slot)) {
  std::optional<uint64_t> upload;
  if (HasBody(request_)) upload = upload_size();
  Receiver& receiver = *this;
  transfer_ = std::make_unique<Transfer>(multi, receiver, request_, ProxyOf(request_), user_agent, upload);
}

ClientExchange::~ClientExchange() = default;

Task<void> ClientExchange::ReceiveHead() {
  for (;;) {
    if (parser_.complete()) co_return;
    ThrowIfFailed();
    if (upload_.starved) {
      co_await FeedUpload();
    } else {
      co_await Wait();
    }
  }
}

Task<void> ClientExchange::FeedUpload() {
  upload_.buffer.resize(kUploadBuffer);
  const size_t got = co_await request_.upload->ReadSome(upload_.buffer);
  if (got == 0) {
    Throw(Errc::kCorrupt, "{} {}: the upload ends after {} of {} bytes", request_.method, request_.url.ForMessages(),
          upload_.sent, upload_size());
  }
  upload_.next = 0;
  upload_.filled = got;
  upload_.starved = false;
  transfer_->Resume();
}

Task<size_t> ClientExchange::ReadSome(MutableBytes dst) {
  SLUICE_CHECK(!dst.empty(), "a read of no bytes would look like the end");
  SLUICE_CHECK(reader_.empty(), "one task at a time reads an answer");
  if (const size_t spilled = TakeSpilled(dst)) co_return spilled;
  reader_ = dst;
  reader_filled_ = 0;
  const AtEnd forget_reader([this] { reader_ = {}; });
  for (;;) {
    if (std::exchange(paused_, false)) transfer_->Resume();
    if (reader_filled_ > 0) co_return reader_filled_;
    ThrowIfFailed();
    if (ended_) co_return 0;
    co_await Wait();
  }
}

Task<void> ClientExchange::Wait() {
  changed_.Reset();
  waiting_ = true;
  StartTimer();
  const AtEnd stop_waiting([this] {
    StopTimer();
    waiting_ = false;
  });
  co_await changed_.Wait();
}

void ClientExchange::OnConnected(const std::optional<IpAddress>& peer) noexcept {
  peer_ = peer;
  const bool sends = HasBody(request_) && upload_size() > 0;
  Enter(sends ? Phase::kSending : Phase::kAnswering);
}

bool ClientExchange::OnHeaderLine(std::string_view line) noexcept {
  const bool before = parser_.complete();
  try {
    parser_.Feed(line);
  } catch (const Error& error) {
    Fail(error.code(), error.message());
    return false;
  }
  if (!before && parser_.complete()) {
    Enter(Phase::kReceiving);
    changed_.Set();
  }
  return true;
}

bool ClientExchange::OnBody(ConstBytes bytes) noexcept {
  if (spilled_next_ < spilled_.size()) {
    paused_ = true;
    return false;
  }
  const size_t fits = std::min(bytes.size(), reader_.size() - std::min(reader_filled_, reader_.size()));
  if (fits > 0) std::memcpy(reader_.data() + reader_filled_, bytes.data(), fits);
  reader_filled_ += fits;
  spilled_.assign(bytes.begin() + static_cast<ptrdiff_t>(fits), bytes.end());
  spilled_next_ = 0;
  window_bytes_ += bytes.size();
  changed_.Set();
  return true;
}

size_t ClientExchange::TakeSpilled(MutableBytes dst) noexcept {
  const size_t count = std::min(dst.size(), spilled_.size() - spilled_next_);
  if (count > 0) std::memcpy(dst.data(), spilled_.data() + spilled_next_, count);
  spilled_next_ += count;
  return count;
}

uint64_t ClientExchange::upload_size() const {
  return request_.upload != nullptr ? request_.upload->size() : request_.body.size();
}

ConstBytes ClientExchange::UploadAtHand() const noexcept {
  const ConstBytes all =
      request_.upload != nullptr ? ConstBytes(upload_.buffer).first(upload_.filled) : AsBytes(request_.body);
  return all.subspan(upload_.next);
}

std::optional<size_t> ClientExchange::OnUpload(MutableBytes dst) noexcept {
  const ConstBytes at_hand = UploadAtHand();
  const uint64_t left = upload_size() - upload_.sent;
  const size_t count = std::min({dst.size(), at_hand.size(), static_cast<size_t>(left)});
  if (count == 0 && left > 0) {
    upload_.starved = true;
    changed_.Set();
    return std::nullopt;
  }
  if (count > 0) std::memcpy(dst.data(), at_hand.data(), count);
  upload_.next += count;
  upload_.sent += count;
  window_bytes_ += count;
  if (upload_.sent == upload_size() && phase_ == Phase::kSending) Enter(Phase::kAnswering);
  return count;
}

bool ClientExchange::OnRewind() noexcept {
  // A source may have to be read from its start by its owner: that is another request.
  if (request_.upload != nullptr && upload_.sent > 0) return false;
  upload_.next = 0;
  upload_.sent = 0;
  return true;
}

void ClientExchange::OnEnd(const Error* failure) noexcept {
  ended_ = true;
  slot_.reset();
  if (failure != nullptr) {
    Fail(failure->code(), failure->message());
  } else if (!parser_.complete()) {
    Fail(Errc::kIo, "the connection ended before the end of the header");
  }
  changed_.Set();
}

void ClientExchange::Enter(Phase phase) noexcept {
  StopTimer();
  phase_ = phase;
  window_bytes_ = 0;
  time_left_ = phase == Phase::kAnswering ? request_.patience.answer.value_or(Duration::zero())
                                          : request_.patience.low_speed_window;
  if (waiting_) StartTimer();
}

void ClientExchange::StartTimer() noexcept {
  if (phase_ == Phase::kConnecting) return;  // libcurl's own clock runs
  if (phase_ == Phase::kAnswering && !request_.patience.answer) return;
  timer_started_ = engine_.Now();
  engine_.Arm(*this, timer_started_ + time_left_);
}

void ClientExchange::StopTimer() noexcept {
  if (!armed()) return;
  engine_.Disarm(*this);
  time_left_ = std::max(Duration::zero(), time_left_ - (engine_.Now() - timer_started_));
}

void ClientExchange::OnTimer() noexcept {
  const Patience& patience = request_.patience;
  if (phase_ == Phase::kAnswering) {
    return Fail(Errc::kTimeout, fmt::format("no answer within {} ms", InMilliseconds(*patience.answer)));
  }
  if (window_bytes_ < patience.low_speed_bytes) {
    return Fail(Errc::kTimeout, fmt::format("{} bytes within {} ms, at least {} are expected", window_bytes_,
                                            InMilliseconds(patience.low_speed_window), patience.low_speed_bytes));
  }
  window_bytes_ = 0;
  time_left_ = patience.low_speed_window;
  StartTimer();
}

void ClientExchange::Fail(Errc code, std::string reason) noexcept {
  if (!failure_) failure_ = Error(code, std::move(reason));
  changed_.Set();
}

void ClientExchange::ThrowIfFailed() const {
  if (!failure_) return;
  Throw(failure_->code(), "{} {}: {}", request_.method, request_.url.ForMessages(), failure_->message());
}

}  // namespace sluice::http::curl
