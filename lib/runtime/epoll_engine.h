// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine over epoll for readiness and a few threads for files.

#include <memory>
#include <string>

#include "runtime/engine.h"

namespace sluice::runtime {

// `reason`: why this engine was taken, for Engine::reason().
std::unique_ptr<Engine> MakeEpollEngine(std::string reason);

}  // namespace sluice::runtime
