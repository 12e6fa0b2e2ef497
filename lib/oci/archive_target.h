// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes an image as a tar file of an OCI image layout.  Internal to oci.

#include <memory>
#include <set>
#include <string>

#include "oci/image_target.h"
#include "oci/output_file.h"
#include "oci/tar_writer.h"

namespace sluice::oci {

// The tar depends on the blobs and their order only.
class ArchiveTarget final : public ImageTarget {
 public:
  ArchiveTarget(std::string path, std::string tag);

  using ImageTarget::Commit;
  bool HasBlob(const Descriptor& blob) override;
  std::unique_ptr<BlobWriter> NewBlob() override;
  void PutManifest(const StoredManifest& manifest) override;
  Descriptor Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) override;

 private:
  class Writer;

  // The tar goes into the file.
  class Sink final : public codec::ByteSink {
   public:
    explicit Sink(OutputFile& file) : file_(file) {}
    void Write(ConstBytes bytes) override { file_.Append(bytes); }

   private:
    OutputFile& file_;
  };

  const std::string path_;
  const std::string tag_;
  const std::string directory_;  // that of path_
  OutputFile file_;
  Sink sink_;
  TarWriter tar_;
  std::set<Digest> blobs_;
};

}  // namespace sluice::oci
