// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blobs of a repository of a container registry: the layers of an image, under their digests.  Belongs to one shard.

#include <memory>

#include "backend/backend.h"
#include "backend/config.h"
#include "backend/http_endpoint.h"
#include "backend/services.h"
#include "oci/repository.h"

namespace sluice::backend {

class RegistryBackend final : public Backend {
 public:
  // Mirrors, authentication, redirects and retries are the repository's.
  explicit RegistryBackend(std::shared_ptr<oci::Repository> repository) noexcept : repository_(std::move(repository)) {}

  // The id of a blob is its sha256, as in every image that was pushed to a registry.
  std::unique_ptr<BlobSource> Open(const BlobId& id) const override;

 private:
  const std::shared_ptr<oci::Repository> repository_;  // shared with the sources
};

// The repository that a configuration describes.
std::shared_ptr<oci::Repository> MakeRepository(const Services& services, const RegistryConfig& place,
                                                const RemoteConfig& config, const RequestOptions& request);

}  // namespace sluice::backend
