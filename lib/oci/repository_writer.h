// SPDX-License-Identifier: Apache-2.0
#pragma once
// One repository of a registry for writing: blobs first, then the manifests that name them.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/limits.h"
#include "oci/documents.h"
#include "oci/repository.h"

namespace sluice::oci {

class RegistryEndpoint;

// Belongs to one shard; any number of tasks may use it at once.  Outlives them.  Nothing is pushed to mirrors.  Errors
// as those of Repository.
class RepositoryWriter {
 public:
  // `mount_from`: a repository of the same registry whose blobs may be mounted; empty: none.  Throws kUnsupported when
  // no endpoint may be pushed to.
  RepositoryWriter(RegistryServices services, RegistryReference image, RepositoryOptions options,
                   std::string mount_from = "");
  ~RepositoryWriter();
  RepositoryWriter(const RepositoryWriter&) = delete;
  RepositoryWriter& operator=(const RepositoryWriter&) = delete;

  const RegistryReference& image() const noexcept { return image_; }

  // Whether the repository has the blob, with this size.
  runtime::Task<bool> HasBlob(Digest digest, uint64_t size);
  // Takes the blob over from `mount_from`; false when the registry does not do that.
  runtime::Task<bool> MountBlob(Digest digest);
  // The manifest that the tag of the image names at present; nothing when it names none.
  runtime::Task<std::optional<Manifest>> FindManifest();
  // Uploads all of a blob at once.  `bytes` outlives the task.
  runtime::Task<void> PutBlob(Digest digest, ConstBytes bytes);
  // Stores a manifest or index under `name`: a tag, or its digest.  When it has a subject and the registry has no
  // referrers API, the list that stands in for that gets a new entry.  `bytes` outlives the task.
  runtime::Task<void> PutManifest(std::string name, std::string media_type, ConstBytes bytes);

 private:
  friend class BlobUpload;
  runtime::Task<void> AddReferrer(Digest subject, Descriptor referrer);

  const RegistryServices services_;
  const RegistryReference image_;
  const http::RetryPolicy retry_;
  std::string mount_from_;
  std::unique_ptr<RegistryEndpoint> endpoint_;
};

// One blob that is uploaded piece by piece, before its digest is known.  One task at a time; the writer outlives it.
class BlobUpload {
 public:
  explicit BlobUpload(RepositoryWriter& writer) noexcept : writer_(writer) {}

  runtime::Task<void> Start();
  // What the registry wants a piece (but the last) to have at least; valid after Start().
  uint64_t piece_bytes() const noexcept { return piece_bytes_; }
  // The next piece; not empty.  A connection that breaks is no error as long as the registry knows how far it got.
  // `bytes` outlives the task.
  runtime::Task<void> Append(ConstBytes bytes);
  // The blob is complete and in the repository.
  runtime::Task<void> Finish(Digest digest);
  // Tells the registry to forget what it has; errors are of no interest.
  runtime::Task<void> Cancel();

 private:
  friend class RepositoryWriter;
  http::ClientRequest RequestAt(std::string_view method) const;
  void Follow(const http::ResponseHead& head);
  runtime::Task<uint64_t> Received();
  runtime::Task<void> Send(ConstBytes bytes, http::RetryAdvice& advice);

  RepositoryWriter& writer_;
  std::optional<http::ClientRequest> location_;  // where the next piece goes
  uint64_t piece_bytes_ = 0;
  uint64_t sent_ = 0;  // bytes that the registry has confirmed
};

}  // namespace sluice::oci
