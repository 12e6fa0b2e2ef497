// SPDX-License-Identifier: Apache-2.0
#include "image_store.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "durable_file.h"

namespace sluice::daemon {

ImageStore::ImageStore(std::string directory) : directory_(std::move(directory)) { MakeDirectories(directory_); }

std::string ImageStore::PathOf(const Digest& digest) const {
  return fmt::format("{}/{}/bootstrap", directory_, digest.Hex());
}

Digest ImageStore::Put(ConstBytes bootstrap) const {
  const Digest digest = DigestOf(DigestAlgorithm::kSha256, bootstrap);
  const std::string path = PathOf(digest);
  // Never replaced: it may be mounted.
  if (!std::filesystem::exists(path)) {
    MakeDirectories(std::filesystem::path(path).parent_path());
    WriteDurably(path, bootstrap);
  }
  return digest;
}

std::vector<std::byte> ImageStore::Get(const Digest& digest) const {
  const std::string path = PathOf(digest);
  std::vector<std::byte> bootstrap = ReadWholeFile(path, kMaxBootstrapSize);
  const Digest found = DigestOf(DigestAlgorithm::kSha256, bootstrap);
  if (found != digest) Throw(Errc::kCorrupt, "'{}' has the digest {}", path, found.Hex());
  return bootstrap;
}

}  // namespace sluice::daemon
