// SPDX-License-Identifier: Apache-2.0
#pragma once
// An OCI image layout for reading (image spec, image-layout.md): a directory, or a tar file of one.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "oci/documents.h"
#include "oci/file_source.h"
#include "oci/resolved_image.h"

namespace sluice::oci {

// Where the files of a layout are; names are relative and inside ("blobs/sha256/…").
class LayoutFiles {
 public:
  virtual ~LayoutFiles() = default;
  // nullopt when there is none.  Throws kIo.
  virtual std::optional<FilePart> Find(const std::string& name) const = 0;
};

// Blocks: call from a tool's main thread or in Offload.  Copies share what they have open.
class Layout {
 public:
  // Throws kNotFound when the directory does not exist, kCorrupt when it is not an image layout (no or wrong
  // `oci-layout`, no index.json).
  static Layout Open(const std::string& directory);
  // The same for an archive, compressed or not.
  static Layout OpenArchive(const std::string& file);

  const std::string& path() const noexcept { return path_; }
  const Index& index() const noexcept { return index_; }

  // The manifest called `tag`, or the one that is chosen from the index of that name; an empty tag means the only image
  // there is.  Follows nested indexes.  Throws kNotFound naming what is there.
  ResolvedImage Resolve(const std::string& tag, const ImageChoice& choice) const;

  // The name of a blob inside a layout; in a directory, path() + "/" + BlobName(digest) is its file.
  static std::string BlobName(const Digest& digest);
  std::optional<FilePart> FindBlob(const Digest& digest) const;
  // The whole blob, its size and digest checked.  Throws kNotFound, kCorrupt, and kLimit when descriptor.size is above
  // `max_bytes`.
  std::vector<std::byte> ReadBlob(const Descriptor& descriptor, uint64_t max_bytes) const;

 private:
  Layout(std::string path, std::shared_ptr<const LayoutFiles> files);
  Descriptor FindTag(const std::string& tag, const ImageChoice& choice) const;

  std::string path_;
  std::shared_ptr<const LayoutFiles> files_;
  Index index_;
};

}  // namespace sluice::oci
