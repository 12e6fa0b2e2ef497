// SPDX-License-Identifier: Apache-2.0
#pragma once
// Copies an image as it is stored: every document and blob byte for byte, so that all digests stay.

#include <cstdint>

#include "oci/documents.h"
#include "oci/image_target.h"
#include "oci/stored_image.h"

namespace sluice::oci {

// Is told how far a copy is.  What it throws ends the copy.
class CopyObserver {
 public:
  virtual ~CopyObserver() = default;
  virtual void OnBlob(const Descriptor& blob, bool there) = 0;  // `there`: the target has it, nothing is copied
  virtual void OnProgress(uint64_t bytes) = 0;                  // of the present blob
};

struct CopyReport {
  Descriptor root;  // of the manifest or index that the target's tag names now
  uint64_t blobs = 0;
  uint64_t copied_blobs = 0;
  uint64_t copied_bytes = 0;
};

// `all`: the whole index with all its manifests, if the source has one; else the one manifest that it was opened for.
// Blocks.  Throws kCorrupt for a blob that is not what its digest says, and what source and target do; then the target
// is as before.
CopyReport CopyImage(StoredImage& source, ImageTarget& target, bool all, CopyObserver& observer);

}  // namespace sluice::oci
