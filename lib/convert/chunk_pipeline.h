// SPDX-License-Identifier: Apache-2.0
#pragma once
// Digests and compresses chunks on all cores and commits them in the order they came, so that the result does not
// depend on the number of threads.  Used by one thread, which also runs the commits.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/compression.h"
#include "base/digest.h"
#include "base/limits.h"
#include "convert/chunk_batch.h"
#include "convert/chunk_dictionary.h"
#include "runtime/ordered_workers.h"

namespace sluice::convert {

struct PipelineOptions {
  uint32_t chunk_size = 0;  // bytes; no chunk is larger
  Compression compression = Compression::kZstd;
  int level = 0;  // of the compressor
  DigestAlgorithm digester = DigestAlgorithm::kBlake3;
  size_t jobs = 1;                     // threads wanted, at least 1
  uint64_t memory_bytes = 128 * kMiB;  // for batches; with large chunks fewer threads run than were wanted
};

class ChunkPipeline {
 public:
  using Commit = std::function<void(const ChunkBatch&)>;

  // `dictionary` outlives the pipeline.  `commit` is called by Append and Drain.  Throws what the encoder throws for
  // the compression and level.
  ChunkPipeline(const PipelineOptions& options, const ChunkDictionary& dictionary, Commit commit);
  // What was not committed is dropped.
  ~ChunkPipeline();

  // Memory for the plain bytes of a chunk, which the caller fills before it calls Append or Drain again.  Commits what
  // has come back meanwhile; when all batches are on their way, waits for the oldest.
  MutableBytes Append(image::InodeId file, size_t position, uint32_t plain_size);
  // Waits for and commits everything that was appended.
  void Drain();

  size_t threads() const noexcept { return workers_.threads(); }
  // How many batches there may be: the bound of the window.
  size_t max_batches() const noexcept { return max_batches_; }

 private:
  class Job;

  // A job with an empty batch.
  std::unique_ptr<Job> TakeJob();
  void Submit();
  void CommitOldest();

  const PipelineOptions options_;
  const size_t batch_bytes_;
  const size_t max_batches_;
  const ChunkDictionary& dictionary_;
  const Commit commit_;

  std::vector<std::unique_ptr<codec::ChunkEncoder>> encoders_;  // one per worker
  size_t made_ = 0;                                             // jobs that exist
  std::vector<std::unique_ptr<Job>> free_;                      // their batches are empty
  std::unique_ptr<Job> filling_;                                // nullptr: none begun
  runtime::OrderedWorkers workers_;                             // last: its threads end before what they use
};

}  // namespace sluice::convert
