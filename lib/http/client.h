// SPDX-License-Identifier: Apache-2.0
#pragma once
// The transport that really sends: libcurl, driven by the engine of its shard.  Connections are reused, HTTP/2 is
// spoken where a server offers it over TLS.  Redirects are answers like others here (redirect.h follows them).

#include <cstdint>
#include <memory>
#include <string>

#include "base/limits.h"
#include "http/transport.h"
#include "runtime/engine.h"

namespace sluice::http {

struct ClientOptions {
  // At a time, until their bodies have ended or their exchanges are gone; further ones wait, each lane in order.
  uint64_t requests_per_host = 32;
  uint64_t background_per_host = 16;  // of these, at most so many on the background lane
  uint64_t idle_connections = 32;     // kept for the next request
  uint64_t header_bytes = 64 * kKiB;  // of one answer
  std::string user_agent;             // empty: "sluice/VERSION"
};

// One per shard.  Not on the simulator: it has no network.
class Client final : public Transport {
 public:
  // `engine` outlives the client.
  explicit Client(runtime::Engine& engine, ClientOptions options = {});
  // After Close(), unless nothing was ever sent.
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  runtime::Task<std::unique_ptr<Exchange>> Send(ClientRequest request) override;

  // Closes all connections and ends when nothing of the client is left in the engine.  All exchanges are gone by then.
  // Not ended by a stop request.
  runtime::Task<void> Close();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::http
