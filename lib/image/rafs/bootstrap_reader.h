// SPDX-License-Identifier: Apache-2.0
#pragma once
// From the bytes of a RAFS v6 bootstrap to values, with everything checked that the kernel and the daemon rely on.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/blob_id.h"
#include "base/bytes.h"
#include "image/rafs/blob_advice.h"
#include "image/rafs/image.h"

namespace sluice::image::rafs {

struct ReadOptions {
  // The id of the blob that the bootstrap was taken from, when it is inlined in one.
  std::optional<BlobId> inlined_id;
};

// A bootstrap without its tree.
struct BootstrapSummary {
  uint32_t chunk_size = 0;
  Compression compression = Compression::kZstd;
  DigestAlgorithm digester = DigestAlgorithm::kBlake3;
  std::vector<Blob> blobs;         // in the order of the device slots
  std::vector<BlobAdvice> advice;  // on each of these
  uint64_t inodes = 0;             // that the tree reaches
};

// Both check the same: super blocks, tables, and in one bounded walk every inode, directory, xattr and chunk index that
// is reachable from the root (directory loops, names, sizes, block ranges, agreement with the chunk table).  Structures
// that together are larger than the bootstrap are refused, so time and memory are linear in its size. Throw kCorrupt
// naming object and field, kUnsupported for features that no build of ours can represent, kLimit above
// kMaxBootstrapSize.  What passes is safe to hand to mount(2).
Image ParseBootstrap(ConstBytes bootstrap, const ReadOptions& options = {});
BootstrapSummary ValidateBootstrap(ConstBytes bootstrap, const ReadOptions& options = {});

// Writes the id of the blob that the bootstrap was in where the bootstrap lacks it, also into the device slot, by whose
// tag the kernel asks for the blob.  Afterwards it reads like one that never was in a blob.  Throws as above for what
// it looks at: super blocks and the sizes of the tables.
void StoreInlinedId(MutableBytes bootstrap, const BlobId& id);

}  // namespace sluice::image::rafs
