// SPDX-License-Identifier: Apache-2.0
#pragma once
// An image in a registry, for programs that block.  Internal to oci.

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "oci/registry_session.h"
#include "oci/repository.h"
#include "oci/stored_image.h"

namespace sluice::oci {

// Blobs come through temporary files.  Of those that were announced, the next ones are fetched ahead, so that a slow
// reader does not stop the network; at most kAhead files exist besides those that are open.
class RegistryImage final : public StoredImage {
 public:
  static constexpr size_t kAhead = 2;

  RegistryImage(RegistryReference reference, const ImageChoice& choice, const RegistryOptions& options);
  ~RegistryImage() override;

  StoredManifest GetManifest(const Descriptor& descriptor) override;
  std::vector<std::byte> GetBlob(const Descriptor& descriptor, uint64_t max_bytes) override;
  std::unique_ptr<codec::ByteSource> OpenBlob(const Descriptor& descriptor) override;
  void Announce(std::vector<Descriptor> blobs) override;
  const RegistryReference* registry() const noexcept override { return &reference_; }

 private:
  struct Ahead {
    Descriptor blob;
    std::unique_ptr<codec::ByteSource> source;  // null: not begun
  };
  void FetchAhead();

  const RegistryReference reference_;
  RegistrySession session_;
  http::RetryPolicy retry_;
  std::unique_ptr<Repository> repository_;
  std::deque<Ahead> announced_;  // in order; what was opened is gone
};

}  // namespace sluice::oci
