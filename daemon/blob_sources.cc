// SPDX-License-Identifier: Apache-2.0
#include "blob_sources.h"

#include "backend/local.h"
#include "base/error.h"

namespace sluice::daemon {

std::unique_ptr<backend::BlobSource> BlobSources::Open(const BackendSpec& spec, const BackendSecrets&,
                                                       const BlobId& id) {
  if (const auto* directory = std::get_if<DirectorySpec>(&spec)) {
    return backend::LocalBackend({directory->path}).Open(id);
  }
  Throw(Errc::kUnsupported, "blob {}: no such backend", id.hex());
}

}  // namespace sluice::daemon
