// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the stored bytes of blobs come from: the only part of this layer that the cache knows.

#include <cstdint>
#include <memory>
#include <string>

#include "base/blob_id.h"
#include "base/bytes.h"
#include "runtime/task.h"

namespace sluice::backend {

// One blob at one backend.  Owned and used by one shard.
class BlobSource {
 public:
  virtual ~BlobSource() = default;

  // Fills all of `dst` with the stored bytes from `offset` (bytes from the start of the blob).  Throws kNotFound when
  // the blob does not exist, kCorrupt when it ends before, kIo, kTimeout, kStopped.  `dst` is written until the task
  // completes, also after a stop request.  May be called many times at once.
  virtual runtime::Task<void> ReadAt(uint64_t offset, MutableBytes dst) = 0;

  // What it gave was not what the blob should hold: the next read starts from scratch (opens the file again, asks
  // another server, passes over caches).
  virtual void Distrust() noexcept = 0;

  // For messages: where the blob comes from, "directory '/…'"; never with a secret.
  virtual std::string Describe() const = 0;
};

// A place that holds blobs.  Thread-safe: each shard asks it for its own sources.
class Backend {
 public:
  virtual ~Backend() = default;
  // Does no I/O: a blob that is missing is found out by the first read, and found again when it comes back.
  virtual std::unique_ptr<BlobSource> Open(const BlobId& id) const = 0;
};

}  // namespace sluice::backend
