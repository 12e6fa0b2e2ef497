// SPDX-License-Identifier: Apache-2.0
#include "cache/file_shares.h"

#include <algorithm>

namespace sluice::cache {

runtime::Acquisition FileShares::Take(uint64_t file_system, runtime::Lane lane, uint64_t bytes) {
  Shares& shares = shares_.try_emplace(file_system, bytes_, reads_ahead_).first->second;
  if (lane == runtime::Lane::kBackground) return shares.ahead.Acquire(1);
  // Small reads count as if there were no more than `reads_` of them.
  return shares.demand.Acquire(std::max(bytes, (bytes_ + reads_ - 1) / reads_));
}

}  // namespace sluice::cache
