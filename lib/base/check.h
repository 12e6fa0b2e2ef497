// SPDX-License-Identifier: Apache-2.0
#pragma once
// Checks of our own invariants, in every build.  Never reachable from input: bad input throws sluice::Error.

namespace sluice {

// Prints file, line and the broken invariant to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* what) noexcept;

}  // namespace sluice

#define SLUICE_CHECK(condition, what)                                      \
  do {                                                                     \
    if (!(condition)) [[unlikely]]                                         \
      ::sluice::CheckFailed(__FILE__, __LINE__, what " (" #condition ")"); \
  } while (false)
