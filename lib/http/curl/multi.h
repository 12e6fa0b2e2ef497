// SPDX-License-Identifier: Apache-2.0
#pragma once
// libcurl behind types of ours: the only file that knows it.  Owned by the shard of its client.  Never blocks.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/transport.h"

namespace sluice::http {
struct Proxy;
}

namespace sluice::http::curl {

// What libcurl wants from an event loop.  Its calls come from inside calls of Multi and Transfer, and make none.
class Loop {
 public:
  virtual ~Loop() = default;
  // From now on tell of `fd` what is named here; neither: nothing more.
  virtual void Watch(int fd, bool readable, bool writable) noexcept = 0;
  // Call Multi::OnTimeout() after `delay`, in place of what was asked before; without a value: never.
  virtual void SetTimer(std::optional<Duration> delay) noexcept = 0;
};

// Who receives a transfer.  Its calls come from inside calls of Multi and Transfer, and make none.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // A connection is there, its request goes out now.  `peer`: as Exchange::peer().
  virtual void OnConnected(const std::optional<IpAddress>& peer) noexcept = 0;
  // A line of the header, with its line end; "HTTP/…" begins one, an empty line ends it.  There may be several headers
  // (1xx) and a trailer.  False ends the transfer.
  virtual bool OnHeaderLine(std::string_view line) noexcept = 0;
  // All of it is taken, or (false) nothing: then the transfer pauses and offers it again after Resume().
  virtual bool OnBody(ConstBytes bytes) noexcept = 0;
  // Fills `dst` with the next bytes of the upload and gives their number; without a value the transfer pauses.  Not
  // asked for more than the announced size.
  virtual std::optional<size_t> OnUpload(MutableBytes dst) noexcept = 0;
  // The upload starts over: the connection was lost before the server saw it.  False: that cannot be done.
  virtual bool OnRewind() noexcept = 0;
  // The last call.  `failure` is null when everything came as it was announced.
  virtual void OnEnd(const Error* failure) noexcept = 0;
};

// The most that OnBody() gives at once.
constexpr size_t kBodyBytes = 128 * 1024;

class Multi;

// One request under way.
class Transfer {
 public:
  // Begins at once.  `request` and `proxy` (may be null) are only read here; `multi` and `receiver` outlive it.
  Transfer(Multi& multi, Receiver& receiver, const ClientRequest& request, const Proxy* proxy,
           const std::string& user_agent, std::optional<uint64_t> upload_size);
  // Cuts it when it has not ended.
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Goes on after a pause.  May call the receiver.
  void Resume() noexcept;

 private:
  friend class Multi;
  struct State;
  std::unique_ptr<State> state_;
};

class Multi {
 public:
  // `loop` outlives it.
  Multi(Loop& loop, uint64_t idle_connections);
  // Closes the connections; the transfers are gone by then.
  ~Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  void OnReady(int fd, bool readable, bool writable, bool broken) noexcept;
  void OnTimeout() noexcept;

 private:
  friend class Transfer;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::http::curl
