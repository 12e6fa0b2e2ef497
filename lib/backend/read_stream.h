// SPDX-License-Identifier: Apache-2.0
#pragma once
// A stream for sources where asking costs nothing: each piece is a read of its own.

#include "backend/backend.h"

namespace sluice::backend {

class ReadStream final : public BlobStream {
 public:
  // `source` outlives the stream.
  ReadStream(BlobSource& source, uint64_t offset) noexcept : source_(source), offset_(offset) {}

  runtime::Task<void> Read(MutableBytes dst) override;

 private:
  BlobSource& source_;
  uint64_t offset_;
};

}  // namespace sluice::backend
