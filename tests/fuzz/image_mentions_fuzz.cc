// SPDX-License-Identifier: Apache-2.0
// The input is the beginning of a file.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "image/mentions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  const ConstBytes bytes = std::as_bytes(std::span(data, size));
  SLUICE_CHECK(image::FindLibraries(bytes).size() <= image::kMostMentions, "libraries are bounded");
  SLUICE_CHECK(image::FindModules(bytes).size() <= image::kMostMentions, "modules are bounded");
  return 0;
}
