// SPDX-License-Identifier: Apache-2.0
#pragma once
// An OCI image layout in a directory, for reading (image spec, image-layout.md).

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "oci/documents.h"

namespace sluice::oci {

// Blocks: call from a tool's main thread or in Offload.
class Layout {
 public:
  // Throws kNotFound when the directory does not exist, kCorrupt when it is not an image layout (no or wrong
  // `oci-layout`, no index.json).
  static Layout Open(const std::string& directory);

  const std::string& directory() const noexcept { return directory_; }
  const Index& index() const noexcept { return index_; }

  // The manifest called `tag` for `platform`; an empty tag means the only image there is, a nullopt platform the host's
  // or the only one.  Follows nested indexes.  Throws kNotFound naming what is there.
  struct Resolved {
    Descriptor descriptor;
    Manifest manifest;
  };
  Resolved Resolve(const std::string& tag, const std::optional<Platform>& platform) const;

  // Where the blob is, or would be.
  std::string BlobPath(const Digest& digest) const;
  // The whole blob, its size and digest checked.  Throws kLimit when descriptor.size is above `max_bytes`.
  std::vector<std::byte> ReadBlob(const Descriptor& descriptor, uint64_t max_bytes) const;

 private:
  Layout(std::string directory, Index index) : directory_(std::move(directory)), index_(std::move(index)) {}
  std::string directory_;
  Index index_;
};

}  // namespace sluice::oci
