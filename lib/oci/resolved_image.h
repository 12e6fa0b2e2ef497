// SPDX-License-Identifier: Apache-2.0
#pragma once
// An image's documents as they are stored, and the way from the name of an image to its manifest.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "oci/documents.h"

namespace sluice::oci {

// A manifest or index as its place keeps it.
struct StoredManifest {
  std::string media_type;
  Digest digest;  // sha256 of the bytes
  std::vector<std::byte> bytes;
};

// The manifest that a name means, for one platform.
struct ResolvedImage {
  Descriptor descriptor;  // of the manifest
  Manifest manifest;
  std::vector<std::byte> bytes;         // of the manifest
  std::optional<StoredManifest> index;  // what the name means first, if that is an index
};

}  // namespace sluice::oci
