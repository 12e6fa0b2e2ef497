// SPDX-License-Identifier: Apache-2.0
#pragma once
// The prefetch table of a RAFS v6 bootstrap: 32-bit nids of files and directories to fetch first.

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace sluice::image::rafs {

constexpr uint64_t kPrefetchEntrySize = 4;

// The nids in order; the zeros that stand for patterns without a match are left out.
std::vector<uint32_t> ParsePrefetchTable(ConstBytes table);

}  // namespace sluice::image::rafs
