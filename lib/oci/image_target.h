// SPDX-License-Identifier: Apache-2.0
#pragma once
// A place where an image is written: blobs first, the manifest that names them last.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/digest.h"
#include "codec/stream.h"
#include "oci/documents.h"
#include "oci/reference.h"
#include "oci/registry_options.h"
#include "oci/resolved_image.h"

namespace sluice::oci {

struct StoredBlob {
  Digest digest;  // sha256
  uint64_t size = 0;
};

// A blob in the making; destroyed before Finish, it leaves nothing behind.
class BlobWriter : public codec::ByteSink {
 public:
  // Makes the blob durable, or drops it when the target has it already.  It shows up under its digest with Commit only.
  // Called once, last.
  virtual StoredBlob Finish() = 0;
};

// Blocks: call from a tool's main thread or in Offload.  Not thread-safe.  Destroyed without Commit, it leaves nothing
// behind (of an existing layout: what was there before).
class ImageTarget {
 public:
  virtual ~ImageTarget() = default;

  // Whether the target has this blob already, or has now taken it over from where it is: then it need not be written.
  virtual bool HasBlob(const Descriptor& blob) = 0;
  // One at a time; it does not outlive the target.
  virtual std::unique_ptr<BlobWriter> NewBlob() = 0;
  // The same for a blob of chunks: what is read on demand, and may be kept elsewhere too.
  virtual std::unique_ptr<BlobWriter> NewChunkBlob() { return NewBlob(); }
  StoredBlob PutBlob(ConstBytes bytes);

  // Stores a manifest that has no tag: one that an index names.  The blobs that it names have been written.
  virtual void PutManifest(const StoredManifest& manifest) = 0;
  // Stores a manifest or index, byte for byte, and makes the tag of the reference name it, replacing an image that had
  // the tag.  What it names has been written.  `platform` goes into the entry of an index.json.  Returns that entry.
  // Called once.
  virtual Descriptor Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) = 0;
  // The same for a new manifest.
  Descriptor Commit(const Manifest& manifest, const Platform& platform);
};

// For docker://NAME, oci:DIR:TAG (made, or extended when it is a layout already) and oci-archive:FILE[:TAG] (replaced
// on Commit).  `options` count for docker:; `source`, if not null, is where the image comes from: in the same registry
// blobs are mounted from there.  Throws kInvalidArgument for other transports, when oci: has no tag, and when docker:
// has a digest.
std::unique_ptr<ImageTarget> CreateTarget(const Reference& reference, const RegistryOptions& options = {},
                                          const RegistryReference* source = nullptr);

}  // namespace sluice::oci
