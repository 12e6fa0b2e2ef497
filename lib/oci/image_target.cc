// SPDX-License-Identifier: Apache-2.0
#include "oci/image_target.h"

#include "base/error.h"
#include "oci/archive_target.h"
#include "oci/layout_target.h"
#include "oci/media_types.h"
#include "oci/registry_target.h"
#include "oci/target_documents.h"

namespace sluice::oci {

StoredBlob ImageTarget::PutBlob(ConstBytes bytes) {
  const auto writer = NewBlob();
  writer->Write(bytes);
  return writer->Finish();
}

Descriptor ImageTarget::Commit(const Manifest& manifest, const Platform& platform) {
  const std::string text = Serialize(manifest);
  const ConstBytes bytes = AsBytes(text);
  const StoredManifest stored{.media_type = manifest.media_type,
                              .digest = DigestOf(DigestAlgorithm::kSha256, bytes),
                              .bytes = {bytes.begin(), bytes.end()}};
  return Commit(stored, platform);
}

Descriptor IndexEntry(const StoredManifest& manifest, const std::optional<Platform>& platform, const std::string& tag) {
  Descriptor entry{.media_type = manifest.media_type,
                   .digest = manifest.digest,
                   .size = manifest.bytes.size(),
                   .platform = platform};
  if (!tag.empty()) entry.annotations.emplace(annotation::kRefName, tag);
  return entry;
}

std::unique_ptr<ImageTarget> CreateTarget(const Reference& reference, const RegistryOptions& options,
                                          const RegistryReference* source) {
  switch (reference.transport) {
    case Transport::kDocker: return std::make_unique<RegistryTarget>(*reference.registry, options, source);
    case Transport::kOci:
      if (reference.tag.empty()) Throw(Errc::kInvalidArgument, "target '{}' needs a tag", reference.ToString());
      return std::make_unique<LayoutTarget>(reference.path, reference.tag);
    case Transport::kOciArchive: return std::make_unique<ArchiveTarget>(reference.path, reference.tag);
    default: break;
  }
  Throw(Errc::kInvalidArgument, "target '{}' is neither docker://NAME nor oci:DIR:TAG nor oci-archive:FILE[:TAG]",
        reference.ToString());
}

}  // namespace sluice::oci
