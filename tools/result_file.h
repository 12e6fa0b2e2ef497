// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files that a command writes its results into.

#include <string>
#include <string_view>

namespace sluice::tools {

// Makes or replaces the file; throws what the file system says.
void WriteResultFile(const std::string& path, std::string_view content);

}  // namespace sluice::tools
