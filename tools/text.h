// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text for people on a terminal.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tools {

// "512 B", "12.3 MiB".
std::string FormatBytes(uint64_t bytes);

// Control characters replaced by '?': names from elsewhere must not steer the terminal.
std::string Printable(std::string_view text);

// Columns of equal width, two spaces between them, one line per row.  Cells are printed as Printable; every row has as
// many cells as the first, which is the heading.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace sluice::tools
