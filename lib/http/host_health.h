// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which servers are worth asking now: a circuit breaker per origin, and the order of mirrors that follows from it.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "http/url.h"

namespace sluice::http {

struct CircuitPolicy {
  unsigned failures = 5;                           // in a row: then the host is left alone
  Duration first_pause = std::chrono::seconds(1);  // doubles while the probes fail
  Duration most_pause = std::chrono::seconds(60);
};

// Owned by one shard.  After a pause one request goes through as a probe; its success closes the circuit, so traffic
// falls back to a preferred mirror by itself.
class HostHealth {
 public:
  // `clock` and `rng` outlive it.
  HostHealth(const Clock& clock, Rng& rng, CircuitPolicy policy = {});

  // Whether a request may be sent to `origin` now.  True makes the caller the probe of a circuit whose pause is over:
  // it reports the end of its request, whatever it is.
  bool Admit(const Origin& origin);
  // The same; throws kBusy "'https://host' is left alone for 12 s after 5 failures in a row".
  void AdmitOrThrow(const Origin& origin);

  void ReportSuccess(const Origin& origin);
  // Counts what says something about the host (kIo, kTimeout, kBusy) as a failure; any other answer shows that it is
  // alive.  A stop (kStopped) says nothing.
  void ReportFailure(const Origin& origin, const Error& error);

  // `preference`: the origins of equivalent mirrors, best first.  Their indexes in the order to try: those with a
  // closed circuit or a pause that is over, as preferred; then the others, the one first whose pause ends first.
  std::vector<size_t> Order(std::span<const Origin> preference) const;

 private:
  struct Circuit {
    unsigned failures = 0;  // in a row
    Duration pause{};       // the last one; zero: closed
    TimePoint open_until;
    TimePoint probe_until;  // a probe is under way; after that it is given up for lost
    bool open() const noexcept { return pause > Duration::zero(); }
  };
  static constexpr size_t kMostHosts = 1024;  // then one is forgotten

  void Open(Circuit& circuit);

  const Clock& clock_;
  Rng& rng_;
  const CircuitPolicy policy_;
  std::map<Origin, Circuit> circuits_;  // only hosts that failed last time
};

}  // namespace sluice::http
