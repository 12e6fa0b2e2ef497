// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cuts the content of files into chunks and hands them to the pipeline.  What a layer says is a hole is never touched.
// Single-threaded.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "convert/chunk_pipeline.h"
#include "image/tree.h"
#include "oci/layer_reader.h"

namespace sluice::convert {

// Chunk indexes of one image: 512 MiB of bootstrap.  Bounds what a sparse file of 8 EiB in a small tar can cost.
constexpr uint64_t kMaxFileChunks = uint64_t{1} << 26;

class FileCutter {
 public:
  // `tree` and `pipeline` outlive the cutter.
  FileCutter(uint32_t chunk_size, image::Tree& tree, ChunkPipeline& pipeline)
      : chunk_size_(chunk_size), tree_(tree), pipeline_(pipeline) {}

  // Gives the regular file `file`, whose size is set, its chunks: all holes for now.  Throws kLimit when they are too
  // many.
  void Begin(image::InodeId file);
  // Takes all data of the reader's present entry as the content of the file begun last.  Throws what the reader throws.
  void Take(oci::LayerReader& reader);

  // Whether a file had chunks without data.
  bool left_hole() const noexcept { return left_hole_; }

 private:
  void OpenChunk(uint64_t position);
  void CloseChunk();

  const uint32_t chunk_size_;
  image::Tree& tree_;
  ChunkPipeline& pipeline_;
  uint64_t file_chunks_ = 0;  // of all files

  image::InodeId file_{};
  uint64_t file_size_ = 0;
  uint64_t chunks_left_ = 0;  // of the file, that no data came for yet
  bool left_hole_ = false;
  MutableBytes chunk_;     // the open chunk, in a batch of the pipeline; empty: none is open
  uint64_t position_ = 0;  // of the open chunk in its file
  size_t filled_ = 0;      // bytes of chunk_ that have their value
};

}  // namespace sluice::convert
