// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sources of one blob: one per image that uses it.  Owned by the blob's shard.

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/backend.h"

namespace sluice::cache {

class Sources {
 public:
  void Add(std::shared_ptr<backend::BlobSource> source);
  // Reads that run keep it alive until they end.
  void Remove(const backend::BlobSource& source);

  // The one that served last, or after MarkFailed() another one if there is one.  Null: there is none.
  std::shared_ptr<backend::BlobSource> Current() const noexcept;
  // `source` failed or gave wrong bytes: the next read starts from scratch, and elsewhere if possible.
  void MarkFailed(const std::shared_ptr<backend::BlobSource>& source) noexcept;

 private:
  std::vector<std::shared_ptr<backend::BlobSource>> sources_;
  size_t current_ = 0;
};

}  // namespace sluice::cache
