// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes the blob of one layer: packed chunk data, then the table of chunks.  Single-threaded.
//
//   chunk data | chunk info (V1, compressed when that gains) | 4096-byte header
//
// No table of contents and no tar headers: so the blob id is the sha256 of the file, which is the digest of the OCI
// layer.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/compression.h"
#include "base/digest.h"
#include "convert/chunk_batch.h"
#include "convert/chunk_dictionary.h"
#include "image/rafs/image.h"
#include "image/tree.h"
#include "oci/image_target.h"

namespace sluice::convert {

class BlobBuilder {
 public:
  // `index`: the blob's position in Image::blobs.  `tree`, `dictionary` and `target` outlive the builder.  No blob is
  // begun in the target before there is a chunk for it.
  BlobBuilder(uint32_t index, image::Tree& tree, ChunkDictionary& dictionary, oci::ImageTarget& target)
      : index_(index), tree_(tree), dictionary_(dictionary), target_(target) {}

  // Writes the chunks of a processed batch that are new and tells the files where each of their chunks is.  Throws
  // kLimit when the blob grows beyond what its chunk table can say.
  void Commit(const ChunkBatch& batch);

  struct Format {
    Compression compression;
    int level;
    DigestAlgorithm digester;
  };
  // Adds a chunk of zeros behind all others.  Called once at most.
  image::rafs::ZeroChunk AddZeros(uint32_t chunk_size, const Format& format);
  // Completes the blob in the target.  nullopt when no chunk was written.  Called once, last.
  std::optional<image::rafs::Blob> Finish(const Format& format);

  // Whether a committed chunk was all zeros.
  bool saw_hole() const noexcept { return saw_hole_; }

 private:
  uint32_t AppendChunk(const ChunkBatch::Item& item);
  // Writes the bytes to the blob, beginning it if need be.
  void Write(ConstBytes bytes);

  const uint32_t index_;
  image::Tree& tree_;
  ChunkDictionary& dictionary_;
  oci::ImageTarget& target_;
  std::unique_ptr<oci::BlobWriter> writer_;
  std::vector<image::rafs::Chunk> chunks_;
  uint64_t plain_end_ = 0;  // multiple of 4096
  uint64_t stored_end_ = 0;
  bool saw_hole_ = false;
  bool has_zeros_ = false;  // the last of chunks_ is the chunk of zeros
};

}  // namespace sluice::convert
