// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes an image into a registry.  Internal to oci.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "oci/image_target.h"
#include "oci/registry_session.h"
#include "oci/repository_writer.h"

namespace sluice::oci {

// Blobs are uploaded while they are written: large ones piece by piece, so no file and only some pieces in memory are
// needed.  What was uploaded and is named by no manifest, because there was no Commit, is garbage to the registry.
//
// A conversion may make blobs that the repository has: when the tag names a converted image already, large blobs are
// kept in a temporary file until their digest is known, one at a time, and are not sent if they are layers of that
// image.  The first one that is not ends this: what follows a change has changed as well.  What the tag names is a hint
// and no more; the repository is asked for the very blob.
class RegistryTarget final : public ImageTarget {
 public:
  // `source` may be null; see CreateTarget.
  RegistryTarget(RegistryReference reference, const RegistryOptions& options, const RegistryReference* source);
  ~RegistryTarget() override;

  using ImageTarget::Commit;
  bool HasBlob(const Descriptor& blob) override;
  std::unique_ptr<BlobWriter> NewBlob() override;
  std::unique_ptr<BlobWriter> NewChunkBlob() override;
  void PutManifest(const StoredManifest& manifest) override;
  Descriptor Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) override;

 private:
  class Writer;

  // Finds out what the tag names, once.
  void LookForEarlier();
  // Whether a blob of at least `size` bytes may be one of the earlier ones.
  bool MayHave(uint64_t size) const;
  // Whether it is, and still there.
  bool Has(const StoredBlob& blob);

  const RegistryReference reference_;
  RegistrySession session_;
  std::unique_ptr<RepositoryWriter> writer_;
  bool has_looked_ = false;
  std::map<Digest, uint64_t> earlier_;  // layers of the converted image that the tag names, and their sizes
};

}  // namespace sluice::oci
