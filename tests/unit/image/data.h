// SPDX-License-Identifier: Apache-2.0
#pragma once
// The conformance data under tests/data/rafs-v6.

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::image {

// All bytes of the file at `path`, relative to the data folder.
std::vector<std::byte> ReadData(const std::string& path);

}  // namespace sluice::image
