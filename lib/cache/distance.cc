// SPDX-License-Identifier: Apache-2.0
#include "cache/distance.h"

#include <algorithm>

namespace sluice::cache {
namespace {

using Seconds = std::chrono::duration<double>;

// One slow answer of a disk proves nothing: opening a file for the first time is slow, too.
constexpr size_t kLeastAnswers = 2;
constexpr uint64_t kLeastBytes = 64 * kKiB;
constexpr Duration kLeastTime = std::chrono::milliseconds(1);

}  // namespace

void Distance::OnAnswer(uint64_t bytes, Duration took) noexcept {
  const auto transfer = std::chrono::duration_cast<Duration>(Seconds(static_cast<double>(bytes) / bandwidth()));
  round_trips_[answers_++ % kSamples] = took - std::min(took, transfers_ > 0 ? transfer : Duration::zero());
}

void Distance::OnTransfer(uint64_t bytes, Duration took) noexcept {
  if (answers_ == 0) return;
  // From the request on, not from the first piece: others may have been waiting in a socket by then.  Answers that
  // shared the line seem slower than it is; the best of several does not.
  const Duration transfer = took - std::min(took, round_trip());
  if (bytes < kLeastBytes || transfer < kLeastTime) return;
  bandwidths_[transfers_++ % kSamples] = static_cast<double>(bytes) / Seconds(transfer).count();
}

Duration Distance::round_trip() const noexcept {
  return *std::min_element(round_trips_.begin(), round_trips_.begin() + std::min(answers_, kSamples));
}

double Distance::bandwidth() const noexcept {
  if (transfers_ == 0) return static_cast<double>(limits_.first_bandwidth);
  return *std::max_element(bandwidths_.begin(), bandwidths_.begin() + std::min(transfers_, kSamples));
}

bool Distance::is_known() const noexcept { return answers_ >= (is_remote_ ? 1 : kLeastAnswers); }

bool Distance::is_near() const noexcept { return is_known() && round_trip() < limits_.near; }

uint64_t Distance::in_flight() const noexcept {
  if (!is_known()) return is_remote_ ? limits_.first_in_flight : 0;
  if (is_near()) return 0;
  return static_cast<uint64_t>(std::min(bandwidth() * Seconds(round_trip()).count(), 1e12));
}

}  // namespace sluice::cache
