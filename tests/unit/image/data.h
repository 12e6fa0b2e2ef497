// SPDX-License-Identifier: Apache-2.0
#pragma once
// The conformance data under tests/data/rafs-v6.

#include <cstddef>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace sluice::image {

// All bytes of the file at `path`, relative to the data folder.
inline std::vector<std::byte> ReadData(const std::string& path) {
  std::ifstream file(std::string(SLUICE_RAFS_DATA) + "/" + path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const ConstBytes bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace sluice::image
