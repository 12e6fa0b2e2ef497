// SPDX-License-Identifier: Apache-2.0
#include "unit/image/data.h"

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/bytes.h"

namespace sluice::image {

std::vector<std::byte> ReadData(const std::string& path) {
  std::ifstream file(std::string(SLUICE_RAFS_DATA) + "/" + path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const ConstBytes bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace sluice::image
