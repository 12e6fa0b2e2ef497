// SPDX-License-Identifier: Apache-2.0
#pragma once
// Requests carried out with plain system calls: what the real engines share.

#include <cstdint>

#include "runtime/request.h"

namespace sluice::runtime {

// Makes the call; blocks as long as it takes.  Any thread.  Not for kWaitReadable and kWaitWritable.
int64_t MakeSystemCall(const Request& request) noexcept;

}  // namespace sluice::runtime
