// SPDX-License-Identifier: Apache-2.0
#include "convert/chunk_pipeline.h"

#include <algorithm>
#include <utility>

namespace sluice::convert {
namespace {

// Small chunks travel together, so that a hand-over to a thread costs nothing next to the compression.
constexpr size_t kMinBatchBytes = 512 * kKiB;
// Per thread: one in work, some waiting, some filling or committing.
constexpr size_t kBatchesPerThread = 4;

// A batch has a plain and a stored buffer.
size_t MaxBatches(const PipelineOptions& options, size_t batch_bytes) {
  return std::clamp<size_t>(options.memory_bytes / (2 * batch_bytes), 2, options.jobs * kBatchesPerThread + 2);
}

size_t Threads(const PipelineOptions& options, size_t max_batches) {
  return std::clamp<size_t>(options.jobs, 1, max_batches - 1);
}

}  // namespace

// A batch on its way to a worker and back.
class ChunkPipeline::Job final : public runtime::OrderedWork {
 public:
  Job(const ChunkPipeline& pipeline, size_t batch_bytes) : batch(batch_bytes), pipeline_(pipeline) {}

  ChunkBatch batch;

 private:
  void Work(size_t worker) override {
    batch.Process(*pipeline_.encoders_[worker], pipeline_.options_.digester, pipeline_.dictionary_);
  }

  const ChunkPipeline& pipeline_;
};

ChunkPipeline::ChunkPipeline(const PipelineOptions& options, const ChunkDictionary& dictionary, Commit commit)
    : options_(options),
      batch_bytes_(std::max<size_t>(options.chunk_size, kMinBatchBytes)),
      max_batches_(MaxBatches(options, batch_bytes_)),
      dictionary_(dictionary),
      commit_(std::move(commit)),
      workers_(Threads(options, max_batches_), "convert") {
  for (size_t i = 0; i < workers_.threads(); ++i) {
    encoders_.push_back(std::make_unique<codec::ChunkEncoder>(options.compression, options.level));
  }
}

ChunkPipeline::~ChunkPipeline() = default;

MutableBytes ChunkPipeline::Append(image::InodeId file, size_t position, uint32_t plain_size) {
  if (filling_ && !filling_->batch.Fits(plain_size)) Submit();
  if (!filling_) filling_ = TakeJob();
  return filling_->batch.Append(file, position, plain_size);
}

void ChunkPipeline::Drain() {
  if (filling_) Submit();
  while (workers_.size() > 0) CommitOldest();
}

std::unique_ptr<ChunkPipeline::Job> ChunkPipeline::TakeJob() {
  if (free_.empty() && made_ < max_batches_) {
    ++made_;
    return std::make_unique<Job>(*this, batch_bytes_);
  }
  if (free_.empty()) CommitOldest();
  std::unique_ptr<Job> job = std::move(free_.back());
  free_.pop_back();
  return job;
}

void ChunkPipeline::Submit() {
  workers_.Push(std::move(filling_));
  while (workers_.OldestIsDone()) CommitOldest();
}

void ChunkPipeline::CommitOldest() {
  std::unique_ptr<Job> job(static_cast<Job*>(workers_.TakeOldest().release()));  // nothing else is ever pushed
  commit_(job->batch);
  job->batch.Clear();
  free_.push_back(std::move(job));
}

}  // namespace sluice::convert
