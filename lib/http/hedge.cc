// SPDX-License-Identifier: Apache-2.0
#include "http/hedge.h"

#include <algorithm>

namespace sluice::http {

void Latencies::Add(Duration latency) noexcept { recent_[count_++ % kMost] = latency; }

std::optional<Duration> Latencies::P95() const {
  const size_t known = std::min(count_, kMost);
  if (known < kFewest) return std::nullopt;
  std::array<Duration, kMost> sorted = recent_;
  const auto nth = sorted.begin() + static_cast<ptrdiff_t>(known * 95 / 100);
  std::nth_element(sorted.begin(), nth, sorted.begin() + static_cast<ptrdiff_t>(known));
  return *nth;
}

namespace detail {

runtime::Task<void> SetAfter(runtime::Engine& engine, Duration delay, runtime::Event& event, bool& passed) {
  co_await runtime::Sleep(engine, delay);
  passed = true;
  event.Set();
}

}  // namespace detail

}  // namespace sluice::http
