// SPDX-License-Identifier: Apache-2.0
#pragma once
// An image as it is stored: the bytes of its documents and blobs, wherever they are.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "codec/stream.h"
#include "oci/documents.h"
#include "oci/reference.h"
#include "oci/registry_options.h"
#include "oci/registry_reference.h"
#include "oci/resolved_image.h"

namespace sluice::oci {

// Blocks: call from a tool's main thread or in Offload.  Not thread-safe; several blobs may be open at once.
class StoredImage {
 public:
  virtual ~StoredImage() = default;

  // For messages: "'oci:dir:tag'".
  const std::string& name() const noexcept { return name_; }
  const ResolvedImage& image() const noexcept { return image_; }

  // One that image().index names; its digest, size and type are checked.
  virtual StoredManifest GetManifest(const Descriptor& descriptor) = 0;
  // Small blobs; size and digest are checked.  Throws kLimit when descriptor.size is above `max_bytes`.
  virtual std::vector<std::byte> GetBlob(const Descriptor& descriptor, uint64_t max_bytes) = 0;
  // descriptor.size bytes, or an error; whoever needs them checks the digest.  The source does not outlive the image.
  virtual std::unique_ptr<codec::ByteSource> OpenBlob(const Descriptor& descriptor) = 0;
  // These will be opened, in this order: whoever can begins to fetch them.  Replaces what was announced before.
  virtual void Announce(std::vector<Descriptor> blobs);
  // Where it is, if that is a registry; else null.
  virtual const RegistryReference* registry() const noexcept;

 protected:
  std::string name_;
  ResolvedImage image_;
};

// docker:, oci: and oci-archive: references; `options` count for docker:.  `choice` is made among the manifests of an
// index.  Throws kNotFound for a place, tag or platform that does not exist, kUnsupported for other transports.
std::unique_ptr<StoredImage> OpenStoredImage(const Reference& reference, const ImageChoice& choice,
                                             const RegistryOptions& options);

}  // namespace sluice::oci
