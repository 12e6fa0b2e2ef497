// SPDX-License-Identifier: Apache-2.0
#pragma once
// The readers that wait for chunks of one blob.  A reader goes on when the last of *its* chunks is settled, whoever
// fetches it.  Owned by the blob's shard.

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "cache/blob_layout.h"
#include "cache/chunk_map.h"
#include "runtime/event.h"
#include "runtime/intrusive_list.h"
#include "runtime/task.h"

namespace sluice::cache {

class Readers {
 public:
  explicit Readers(const ChunkMap& map) noexcept : map_(map) {}

  // One reader.  Made before the flights that it waits for are started, so that it misses no failure.
  class Reader : public runtime::ListHook {
   public:
    Reader(Readers& readers, ChunkSpan want) noexcept;
    ~Reader() { Unlink(); }

    // Ends when no chunk of `want` is claimed any more, or one of them has failed.
    runtime::Task<void> Wait();
    // What a chunk of `want` has failed with since the reader was made.
    const std::optional<Error>& error() const noexcept { return error_; }

   private:
    friend class Readers;
    bool IsDone() const noexcept;

    const ChunkMap& map_;
    const ChunkSpan want_;
    std::optional<Error> error_;
    runtime::Event done_;
  };

  // `chunks` are claimed no longer: they are ready or given up, the latter with an error if a reader is to have it.
  // Without one it looks again and fetches for itself.  Called after the map has changed.
  void Settle(ChunkSpan chunks, const Error* error = nullptr);

 private:
  const ChunkMap& map_;
  runtime::IntrusiveList<Reader> waiting_;
};

}  // namespace sluice::cache
