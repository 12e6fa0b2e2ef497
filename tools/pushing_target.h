// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes an image and puts its blobs of chunks into an object store as well: what --push-blobs does.

#include <memory>
#include <optional>
#include <string>

#include "oci/image_target.h"
#include "signal_hold.h"

namespace sluice::tools {

class PushingTarget final : public oci::ImageTarget {
 public:
  // `place`: "s3://BUCKET[/PREFIX]", "oss://BUCKET[/PREFIX]" or the path of a backend configuration file.  A blob is on
  // disk once more, in TMPDIR or /var/tmp, until it is in the store.  `inner` and `signals` outlive the target.  Throws
  // kInvalidArgument, and the errors of reading files.
  PushingTarget(std::unique_ptr<oci::ImageTarget> inner, const std::string& place, const SignalHold& signals);
  ~PushingTarget() override;

  using oci::ImageTarget::Commit;
  bool HasBlob(const oci::Descriptor& blob) override { return inner_->HasBlob(blob); }
  std::unique_ptr<oci::BlobWriter> NewBlob() override { return inner_->NewBlob(); }
  // Its Finish() ends when the store has the blob.
  std::unique_ptr<oci::BlobWriter> NewChunkBlob() override;
  void PutManifest(const oci::StoredManifest& manifest) override { inner_->PutManifest(manifest); }
  oci::Descriptor Commit(const oci::StoredManifest& manifest, const std::optional<oci::Platform>& platform) override;

 private:
  class Store;
  class Writer;
  const std::unique_ptr<oci::ImageTarget> inner_;
  const std::unique_ptr<Store> store_;
};

}  // namespace sluice::tools
