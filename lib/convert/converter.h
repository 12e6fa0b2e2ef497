// SPDX-License-Identifier: Apache-2.0
#pragma once
// Converts an image: layers in, one blob per layer and one bootstrap for all of them out.
// Blocks: call from a tool's main thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/compression.h"
#include "base/digest.h"
#include "base/limits.h"
#include "oci/documents.h"
#include "oci/image_source.h"
#include "oci/image_target.h"

namespace sluice::convert {

// Measured on Debian's python3 with numpy (261 MB in 9 900 files; `zstd -3` of its tar: 83.0 MB).  512 KiB: the blob
// has 94.7 MB, with 256 KiB 95.5, with 1 MiB 94.5; a start of python touches 31.5 MB of chunks, 29.1 and 32.6.  Level 4
// gains 0.5 %, level 5 2 %, for a quarter more time, and twice as much.
constexpr uint32_t kDefaultChunkSize = 512 * kKiB;
constexpr int kDefaultZstdLevel = 3;

struct ConvertOptions {
  uint32_t chunk_size = kDefaultChunkSize;  // power of two in [kMinChunkSize, kMaxChunkSize]
  Compression compression = Compression::kZstd;
  int level = kDefaultZstdLevel;  // zstd only
  DigestAlgorithm digester = DigestAlgorithm::kBlake3;
  size_t jobs = 1;  // threads that digest and compress, at least 1; the result does not depend on it
};

// One job for each processor that this process may use.
size_t DefaultJobs();

struct LayerReport {
  std::string name;
  uint64_t entries = 0;
  uint64_t file_bytes = 0;              // data read, without holes
  std::optional<oci::Descriptor> blob;  // none: the layer brought no new data
  uint64_t chunks = 0;                  // in the blob
  uint64_t plain_bytes = 0;             // of those chunks, each rounded up to whole blocks
};

struct ConvertReport {
  oci::Descriptor manifest;
  oci::Descriptor bootstrap;     // of the layer that holds it
  uint64_t bootstrap_bytes = 0;  // of image/image.boot
  std::vector<LayerReport> layers;
  uint64_t inodes = 0;
  uint64_t dropped_xattrs = 0;  // xattr_policy.h
};

// Is told how far a conversion is.  What it throws ends the conversion.
class ConvertObserver {
 public:
  virtual ~ConvertObserver() = default;
  virtual void OnLayer(size_t index, size_t count, const oci::SourceLayer& layer) = 0;
  // After each entry, and within large files after each piece of data: what was read of the present layer.
  virtual void OnProgress(uint64_t entries, uint64_t file_bytes) = 0;
  virtual void OnLayerDone(const LayerReport& layer) = 0;
};

// Throws kInvalidArgument for options outside their range, and whatever source, target and layers do; the target is
// committed last, so an error leaves nothing in it once it is destroyed.
ConvertReport Convert(oci::ImageSource& source, oci::ImageTarget& target, const ConvertOptions& options,
                      ConvertObserver& observer);

}  // namespace sluice::convert
