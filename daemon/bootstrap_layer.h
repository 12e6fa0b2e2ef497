// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which layer of a converted image holds the bootstrap.

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "oci/media_types.h"

namespace sluice::daemon {

constexpr std::string_view kBootstrapInLayer = "image/image.boot";  // its path in that layer (docs/formats/rafs-v6.md)

// The index of it.  `Layer` has annotations: a descriptor or a SourceLayer.  Throws kUnsupported when there is none.
template <typename Layer>
size_t FindBootstrapLayer(const std::vector<Layer>& layers, std::string_view image) {
  const auto found = std::find_if(layers.begin(), layers.end(), [](const Layer& layer) {
    return layer.annotations.contains(oci::annotation::kNydusBootstrap);
  });
  if (found == layers.end()) {
    Throw(Errc::kUnsupported, "'{}' is not converted: none of its {} layers is a bootstrap (use 'sluice convert')",
          image, layers.size());
  }
  return static_cast<size_t>(found - layers.begin());
}

}  // namespace sluice::daemon
