// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/prefetch_table.h"

namespace sluice::image::rafs {

std::vector<uint32_t> ParsePrefetchTable(ConstBytes table) {
  std::vector<uint32_t> nids;
  for (; table.size() >= kPrefetchEntrySize; table = table.subspan(kPrefetchEntrySize))
    if (const auto nid = LoadLe<uint32_t>(table.data()); nid != 0) nids.push_back(nid);
  return nids;
}

}  // namespace sluice::image::rafs
