// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sluice {

void CheckFailed(const char* file, int line, const char* what) noexcept {
  std::fprintf(stderr, "sluice: %s:%d: invariant broken: %s\n", file, line, what);
  std::abort();
}

}  // namespace sluice
