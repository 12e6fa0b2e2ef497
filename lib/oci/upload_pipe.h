// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sends the pieces of a blob behind the back of whoever makes them.  Internal to oci.

#include <cstddef>
#include <optional>
#include <vector>

#include "base/error.h"
#include "oci/repository_writer.h"
#include "runtime/scope.h"
#include "runtime/semaphore.h"

namespace sluice::oci {

// On one shard: one piece is on its way while the next is made.
class UploadPipe {
 public:
  // `writer` outlives it.
  UploadPipe(runtime::Engine& engine, RepositoryWriter& writer);

  // Starts the upload; gives the size of the pieces that the registry wants (BlobUpload::piece_bytes).
  runtime::Task<uint64_t> Start();
  // Takes a piece when the one before has arrived; throws what has ended an earlier one.
  runtime::Task<void> Push(std::vector<std::byte> piece);
  // The last piece has arrived, and the blob is in the repository.
  runtime::Task<void> Finish(Digest digest);
  // Ends what runs.  Awaited before the end, also after Finish and errors.
  runtime::Task<void> Close();

 private:
  runtime::Task<void> Send(std::vector<std::byte> piece, runtime::Permit turn);
  void ThrowIfFailed() const;

  BlobUpload upload_;
  bool finished_ = false;
  std::optional<Error> failure_;
  runtime::Semaphore turn_{1};
  runtime::Scope scope_;
};

}  // namespace sluice::oci
