// SPDX-License-Identifier: Apache-2.0
#include "ignored_keys.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "text.h"

namespace sluice::tools {

void TellIgnoredKeys(const backend::BackendConfig& config) {
  for (const std::string& key : config.ignored) fmt::print(stderr, "sluice: {} has no effect\n", Printable(key));
}

}  // namespace sluice::tools
