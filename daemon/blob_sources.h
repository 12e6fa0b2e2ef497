// SPDX-License-Identifier: Apache-2.0
#pragma once
// Opens the blobs of mounts at their backends.  Belongs to one shard.

#include <memory>

#include "backend/backend.h"
#include "backend_spec.h"
#include "base/blob_id.h"

namespace sluice::daemon {

class BlobSources {
 public:
  // Does no I/O.  Throws kInvalidArgument, kUnsupported for a configuration that makes no sense.
  std::unique_ptr<backend::BlobSource> Open(const BackendSpec& spec, const BackendSecrets& secrets, const BlobId& id);
};

}  // namespace sluice::daemon
