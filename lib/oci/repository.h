// SPDX-License-Identifier: Apache-2.0
#pragma once
// One repository of a registry for reading: manifests and blobs, over mirrors, with authentication and retries.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/range.h"
#include "base/rng.h"
#include "http/fetch.h"
#include "http/host_health.h"
#include "http/retry.h"
#include "http/transport.h"
#include "oci/credentials.h"
#include "oci/documents.h"
#include "oci/registry_hosts.h"
#include "oci/resolved_image.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "runtime/task.h"

namespace sluice::oci {

// What repositories of one shard share.  All outlive them.
struct RegistryServices {
  runtime::Engine& engine;
  http::Transport& transport;  // sends; follows no redirects
  runtime::Offload& offload;   // reads credentials
  http::HostHealth& health;
  Rng& rng;
};

struct RepositoryOptions {
  std::vector<Endpoint> endpoints;  // of RegistryHosts::Find: never empty
  RegistryCredentials credentials;
  http::RetryPolicy retry;
  http::Patience patience;
};

// Belongs to one shard; any number of tasks may use it at once.  Outlives them.
//
// Each read goes to the first endpoint in health, then to the next ones (only those that may resolve, where a tag is
// meant), then all over again as the retry policy says.  Every error names the image and, where a server was asked, the
// URL without its query; no error holds a credential.
class Repository {
 public:
  Repository(RegistryServices services, RegistryReference image, RepositoryOptions options);
  ~Repository();
  Repository(const Repository&) = delete;
  Repository& operator=(const Repository&) = delete;

  // Connects to the server that would be asked for a blob and logs in there, for reads that are soon to come.  What
  // goes wrong is not told here: they meet it themselves.
  runtime::Task<void> Prepare();

  const RegistryReference& image() const noexcept { return image_; }

  // The manifest or index that tag or digest of the reference names.  Throws kNotFound, kPermission, kCorrupt for bytes
  // that are not those of the digest (of the reference, or that the server states).
  runtime::Task<StoredManifest> GetManifest();
  // The one with this digest and size.
  runtime::Task<StoredManifest> GetManifest(Descriptor descriptor);

  using Resolved = ResolvedImage;
  // The manifest itself, or the one that is chosen from an index.  Follows nested indexes.  Throws as GetManifest,
  // kNotFound with the platforms that there are, kUnsupported for what is no image.
  runtime::Task<Resolved> Resolve(ImageChoice choice);

  // All of a small blob, its size and digest checked.  Throws kLimit when descriptor.size is above `max_bytes`.
  runtime::Task<std::vector<std::byte>> GetBlob(Descriptor descriptor, uint64_t max_bytes);

  // Fills all of `dst` with the bytes of the blob from `offset`.  `size` is that of the whole blob, if it is known. The
  // bytes are not verified: only the whole blob has a digest.
  runtime::Task<void> ReadBlob(Digest digest, std::optional<uint64_t> size, uint64_t offset, MutableBytes dst,
                               runtime::Lane lane = runtime::Lane::kDemand);
  // The bytes of `range` (not empty) in order, while the answer runs; tried again only until the answer's header is
  // there.
  runtime::Task<std::unique_ptr<http::RangeStream>> OpenBlob(Digest digest, std::optional<uint64_t> size,
                                                             ByteRange range,
                                                             runtime::Lane lane = runtime::Lane::kDemand);

  // What refers to the manifest with this digest: by the referrers API, else by the tag of the fallback scheme; an
  // empty list when there is nothing.  Of `artifact_type` only, unless that is empty.  Claims of the list, which
  // GetReferrer checks.
  runtime::Task<std::vector<Descriptor>> Referrers(Digest digest, std::string artifact_type);
  // The manifest of one of them, as GetManifest.  Throws kCorrupt when it refers to another manifest, or to none.
  runtime::Task<Manifest> GetReferrer(Digest subject, Descriptor referrer);

  // Bytes that were read are not what they should be: what was learned about where blobs come from (redirects) is
  // forgotten, and the server that gave them is the last one to be asked next time.
  void Distrust() noexcept;

 private:
  struct State;
  const RegistryReference image_;
  const std::unique_ptr<State> state_;
};

}  // namespace sluice::oci
