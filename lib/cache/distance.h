// SPDX-License-Identifier: Apache-2.0
#pragma once
// How far a blob's sources are, from what its reads took: the shortest round trip and the highest bandwidth seen
// lately. Everything that is fetched without being asked for is measured by it, so that a directory gets none of it and
// a registry as much as a round trip would waste.  Pure; owned by the blob's shard.

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "cache/cache_limits.h"

namespace sluice::cache {

class Distance {
 public:
  explicit Distance(const StreamLimits& limits) noexcept : limits_(limits) {}

  // Until an answer tells, and from the first one that does, a source of these is far.
  void ExpectRemote() noexcept { is_remote_ = true; }
  // The first `bytes` of an answer came `took` after the request.
  void OnAnswer(uint64_t bytes, Duration took) noexcept;
  // All `bytes` of an answer in several pieces came `took` after the request.  What is too small or quick to tell
  // anything is passed over.
  void OnTransfer(uint64_t bytes, Duration took) noexcept;

  // Known, and too near for anything to be brought along.
  bool is_near() const noexcept;
  // Stored bytes that could come during one round trip; 0 for a source that is near, or of which nothing is known yet.
  uint64_t in_flight() const noexcept;

 private:
  static constexpr size_t kSamples = 16;

  Duration round_trip() const noexcept;  // only after an answer
  double bandwidth() const noexcept;     // bytes per second

  bool is_known() const noexcept;

  StreamLimits limits_;
  bool is_remote_ = false;
  std::array<Duration, kSamples> round_trips_{};
  size_t answers_ = 0;  // since the beginning; sample i is at i % kSamples
  std::array<double, kSamples> bandwidths_{};
  size_t transfers_ = 0;
};

}  // namespace sluice::cache
