// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes an image into a registry.  Internal to oci.

#include <memory>
#include <optional>

#include "oci/image_target.h"
#include "oci/registry_session.h"
#include "oci/repository_writer.h"

namespace sluice::oci {

// Blobs are uploaded while they are written: large ones piece by piece, so no file and only some pieces in memory are
// needed.  What was uploaded and is named by no manifest, because there was no Commit, is garbage to the registry.
class RegistryTarget final : public ImageTarget {
 public:
  // `source` may be null; see CreateTarget.
  RegistryTarget(RegistryReference reference, const RegistryOptions& options, const RegistryReference* source);
  ~RegistryTarget() override;

  using ImageTarget::Commit;
  bool HasBlob(const Descriptor& blob) override;
  std::unique_ptr<BlobWriter> NewBlob() override;
  void PutManifest(const StoredManifest& manifest) override;
  Descriptor Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) override;

 private:
  class Writer;

  const RegistryReference reference_;
  RegistrySession session_;
  std::unique_ptr<RepositoryWriter> writer_;
};

}  // namespace sluice::oci
