// SPDX-License-Identifier: Apache-2.0
#pragma once
// How patient the daemon is with servers, and what it knows about them from its configuration.

#include <string>

#include "base/clock.h"
#include "http/retry.h"

namespace sluice::daemon {

// Of registries; a backend configuration says these things for itself.
struct NetworkOptions {
  Duration connect_timeout = std::chrono::seconds(5);  // name lookup, TCP, TLS
  Duration answer_timeout = std::chrono::seconds(10);  // for the header of an answer, and between bytes of a body
  http::RetryPolicy retry;
  Duration most_pause = std::chrono::seconds(60);  // for which a server that fails all the time is left alone
  bool hedge = false;     // a second request for a blob when the first takes longer than 95 of 100 do
  std::string proxy;      // "http://[user:password@]host:port"; empty: those of the environment
  std::string no_proxy;   // hosts that `proxy` is not for, separated by commas
  std::string auth_file;  // of credentials, where a mount names none; empty: those of containers-auth.json(5)

  bool operator==(const NetworkOptions&) const = default;
};

}  // namespace sluice::daemon
