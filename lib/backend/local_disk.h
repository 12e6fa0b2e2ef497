// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blobs at offsets of a block device or disk image, or in its partitions.  Belongs to one shard.

#include <memory>

#include "backend/backend.h"
#include "backend/config.h"

namespace sluice::backend {

class LocalDiskBackend final : public Backend {
 public:
  explicit LocalDiskBackend(LocalDiskConfig config);

  // Device and partition table are read at the first read of any source, and anew after a failure.
  std::unique_ptr<BlobSource> Open(const BlobId& id) const override;

  class Disk;

 private:
  const std::shared_ptr<Disk> disk_;  // shared with the sources, which may outlive the backend
};

}  // namespace sluice::backend
