// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request of the client and its answer: flow control and patience around a transfer of libcurl.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/curl/multi.h"
#include "http/head_parser.h"
#include "http/host_slots.h"
#include "http/transport.h"
#include "runtime/engine.h"
#include "runtime/event.h"
#include "runtime/timer.h"

namespace sluice::http::curl {

class ClientExchange final : public Exchange, private Receiver, private runtime::Timer {
 public:
  // Sends `request` at once.  `engine`, `multi` and what `slot` is a share of outlive it.
  ClientExchange(runtime::Engine& engine, Multi& multi, ClientRequest request, const std::string& user_agent,
                 uint64_t header_bytes, HostSlot slot);
  ~ClientExchange() override;

  // Feeds the upload, ends when the header of the answer is there.  Once, before anything else.
  runtime::Task<void> ReceiveHead();

  const ResponseHead& head() const noexcept override { return parser_.head(); }
  const Url& url() const noexcept override { return request_.url; }
  std::optional<IpAddress> peer() const noexcept override { return peer_; }
  runtime::Task<size_t> ReadSome(MutableBytes dst) override;

 private:
  // What the exchange waits for when somebody waits; decides which patience counts.
  enum class Phase : uint8_t { kConnecting, kSending, kAnswering, kReceiving };

  // What of the upload is in memory.
  struct Upload {
    std::vector<std::byte> buffer;  // of a source; else the bytes are request_.body
    size_t next = 0;                // in the buffer or body
    size_t filled = 0;              // of the buffer
    uint64_t sent = 0;
    bool starved = false;  // libcurl waits for the source
  };

  void OnConnected(const std::optional<IpAddress>& peer) noexcept override;
  bool OnHeaderLine(std::string_view line) noexcept override;
  bool OnBody(ConstBytes bytes) noexcept override;
  std::optional<size_t> OnUpload(MutableBytes dst) noexcept override;
  bool OnRewind() noexcept override;
  void OnEnd(const Error* failure) noexcept override;
  void OnTimer() noexcept override;

  runtime::Task<void> FeedUpload();
  ConstBytes UploadAtHand() const noexcept;
  uint64_t upload_size() const;
  // Ends when something has happened.
  runtime::Task<void> Wait();
  void Enter(Phase phase) noexcept;
  void StartTimer() noexcept;
  void StopTimer() noexcept;
  void Fail(Errc code, std::string reason) noexcept;
  void ThrowIfFailed() const;
  size_t TakeSpilled(MutableBytes dst) noexcept;

  runtime::Engine& engine_;
  ClientRequest request_;
  HeadParser parser_;
  std::optional<IpAddress> peer_;
  std::optional<HostSlot> slot_;  // until libcurl has ended
  Upload upload_;

  runtime::Event changed_;
  std::optional<Error> failure_;
  bool ended_ = false;   // libcurl has nothing more to tell
  bool paused_ = false;  // it holds bytes back until Resume()

  MutableBytes reader_;  // of the task that reads; empty: none
  size_t reader_filled_ = 0;
  std::vector<std::byte> spilled_;  // what came in one piece and did not fit the reader; at most kBodyBytes
  size_t spilled_next_ = 0;

  Phase phase_ = Phase::kConnecting;
  bool waiting_ = false;
  Duration time_left_{};  // of the window, counted while somebody waits
  TimePoint timer_started_;
  uint64_t window_bytes_ = 0;

  std::unique_ptr<Transfer> transfer_;  // last: its end calls nothing of the above
};

}  // namespace sluice::http::curl
