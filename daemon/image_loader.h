// SPDX-License-Identifier: Apache-2.0
#pragma once
// From an image reference to its bootstrap and the place of its blobs.  Blocks: call it in Offload.

#include <optional>
#include <string>
#include <vector>

#include "backend_spec.h"
#include "base/blob_id.h"
#include "oci/reference.h"

namespace sluice::daemon {

struct LoadedImage {
  std::vector<std::byte> bootstrap;  // not yet validated
  BackendSpec backend;               // where its blobs are
  std::optional<BlobId> inlined_id;  // of the blob that the bootstrap was in
};

// oci: and rafs: references with absolute paths, else kInvalidArgument.  Throws kNotFound for what does not exist,
// kCorrupt for a bootstrap layer that does not match its digest, kUnsupported for an image that is not converted.
LoadedImage LoadImage(const oci::Reference& reference);

}  // namespace sluice::daemon
