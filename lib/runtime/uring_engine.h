// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine over io_uring.

#include <memory>

#include "runtime/engine.h"

namespace sluice::runtime {

// Throws kUnsupported, with the reason, when this kernel (or a sysctl, or a seccomp filter) does not offer what the
// engine needs.  For the calling thread.
std::unique_ptr<Engine> MakeUringEngine();

}  // namespace sluice::runtime
