// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes images into an OCI image layout in a directory.  Internal to oci.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oci/image_target.h"
#include "oci/output_file.h"

namespace sluice::oci {

// Blobs wait under temporary names in blobs/sha256 until Commit: the layout may be in use, by readers and by other
// writers.
class LayoutTarget final : public ImageTarget {
 public:
  // Throws kExists when `directory` is neither empty nor an image layout.
  LayoutTarget(std::string directory, std::string tag);
  ~LayoutTarget() override;

  using ImageTarget::Commit;
  bool HasBlob(const Descriptor& blob) override;
  std::unique_ptr<BlobWriter> NewBlob() override;
  void PutManifest(const StoredManifest& manifest) override;
  Descriptor Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) override;

 private:
  class Writer;

  StoredBlob Keep(std::unique_ptr<OutputFile> file, const Digest& digest);
  std::string BlobPath(const Digest& digest) const;
  void MakeDirectories();
  void RemoveIfMade() noexcept;

  const std::string directory_;
  const std::string tag_;
  const std::string blobs_;        // the directory of the blobs
  std::vector<std::string> made_;  // directories that were not there before, outermost first
  std::map<Digest, std::unique_ptr<OutputFile>> pending_;
};

}  // namespace sluice::oci
