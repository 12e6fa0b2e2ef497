// SPDX-License-Identifier: Apache-2.0
#include "http/host_health.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "http/retry.h"

namespace sluice::http {

HostHealth::HostHealth(const Clock& clock, Rng& rng, CircuitPolicy policy)
    : clock_(clock), rng_(rng), policy_(policy) {}

bool HostHealth::Admit(const Origin& origin) {
  const auto at = circuits_.find(origin);
  if (at == circuits_.end() || !at->second.open()) return true;
  Circuit& circuit = at->second;
  const TimePoint now = clock_.Now();
  if (now < circuit.open_until || now < circuit.probe_until) return false;
  // A probe that is never reported blocks the host no longer than a pause.
  circuit.probe_until = now + policy_.most_pause;
  return true;
}

void HostHealth::AdmitOrThrow(const Origin& origin) {
  if (Admit(origin)) return;
  const Circuit& circuit = circuits_.at(origin);
  const Duration left = std::max(circuit.open_until, circuit.probe_until) - clock_.Now();
  Throw(Errc::kBusy, "'{}' is left alone for {} ms after {} failures in a row", origin.ToString(),
        std::chrono::duration_cast<std::chrono::milliseconds>(left).count(), circuit.failures);
}

void HostHealth::ReportSuccess(const Origin& origin) { circuits_.erase(origin); }

void HostHealth::ReportFailure(const Origin& origin, const Error& error) {
  if (error.code() == Errc::kStopped) {
    // Nothing was learned: the next request is the probe.
    if (const auto at = circuits_.find(origin); at != circuits_.end()) at->second.probe_until = {};
    return;
  }
  if (!IsWorthRetrying(error)) return ReportSuccess(origin);
  if (circuits_.size() >= kMostHosts && circuits_.count(origin) == 0) circuits_.erase(circuits_.begin());
  Circuit& circuit = circuits_[origin];
  circuit.probe_until = {};
  if (++circuit.failures >= policy_.failures) Open(circuit);
}

// Pauses double, and are spread over their last quarter so that not all clients come back at once.
void HostHealth::Open(Circuit& circuit) {
  // Failures of requests that were under way when the circuit opened say nothing new.
  const TimePoint now = clock_.Now();
  if (circuit.open() && now < circuit.open_until) return;
  circuit.pause = circuit.open() ? std::min(circuit.pause * 2, policy_.most_pause) : policy_.first_pause;
  const auto quarter = static_cast<uint64_t>(circuit.pause.count() / 4);
  circuit.open_until = now + circuit.pause - Duration(rng_.Below(quarter + 1));
}

std::vector<size_t> HostHealth::Order(std::span<const Origin> preference) const {
  const TimePoint now = clock_.Now();
  const auto usable_at = [&](size_t index) {
    const auto at = circuits_.find(preference[index]);
    if (at == circuits_.end() || !at->second.open()) return now;
    return std::max({now, at->second.open_until, at->second.probe_until});
  };
  std::vector<size_t> order(preference.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return usable_at(a) < usable_at(b); });
  return order;
}

}  // namespace sluice::http
