// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tells users of backend configurations which of their keys change nothing.

#include "backend/config.h"

namespace sluice::tools {

// One line on stderr for each.
void TellIgnoredKeys(const backend::BackendConfig& config);

}  // namespace sluice::tools
