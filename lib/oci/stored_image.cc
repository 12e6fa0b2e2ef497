// SPDX-License-Identifier: Apache-2.0
#include "oci/stored_image.h"

#include <utility>

#include "base/error.h"
#include "oci/file_source.h"
#include "oci/layout.h"
#include "oci/registry_image.h"

namespace sluice::oci {
namespace {

class LayoutImage final : public StoredImage {
 public:
  LayoutImage(const Reference& reference, Layout layout, const ImageChoice& choice) : layout_(std::move(layout)) {
    name_ = "'" + reference.ToString() + "'";
    image_ = layout_.Resolve(reference.tag, choice);
  }

  StoredManifest GetManifest(const Descriptor& descriptor) override {
    return {.media_type = descriptor.media_type,
            .digest = descriptor.digest,
            .bytes = layout_.ReadBlob(descriptor, kMaxDocumentBytes)};
  }
  std::vector<std::byte> GetBlob(const Descriptor& descriptor, uint64_t max_bytes) override {
    return layout_.ReadBlob(descriptor, max_bytes);
  }
  std::unique_ptr<codec::ByteSource> OpenBlob(const Descriptor& descriptor) override {
    const auto part = layout_.FindBlob(descriptor.digest);
    if (!part) Throw(Errc::kNotFound, "{}: blob {} is missing", name_, FormatDigest(descriptor.digest));
    if (part->range.length != descriptor.size)
      Throw(Errc::kCorrupt, "{}: blob {} has {} bytes instead of {}", name_, FormatDigest(descriptor.digest),
            part->range.length, descriptor.size);
    return std::make_unique<FileSource>(*part);
  }

 private:
  const Layout layout_;
};

}  // namespace

void StoredImage::Announce(std::vector<Descriptor>) {}

const RegistryReference* StoredImage::registry() const noexcept { return nullptr; }

std::unique_ptr<StoredImage> OpenStoredImage(const Reference& reference, const ImageChoice& choice,
                                             const RegistryOptions& options) {
  switch (reference.transport) {
    case Transport::kDocker: return std::make_unique<RegistryImage>(*reference.registry, choice, options);
    case Transport::kOci: return std::make_unique<LayoutImage>(reference, Layout::Open(reference.path), choice);
    case Transport::kOciArchive:
      return std::make_unique<LayoutImage>(reference, Layout::OpenArchive(reference.path), choice);
    default: break;
  }
  Throw(Errc::kUnsupported, "'{}' has no manifest: only docker:, oci: and oci-archive: have", reference.ToString());
}

}  // namespace sluice::oci
