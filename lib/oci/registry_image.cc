// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_image.h"

#include <algorithm>

#include "oci/blob_download.h"

namespace sluice::oci {

RegistryImage::RegistryImage(RegistryReference reference, const ImageChoice& choice, const RegistryOptions& options)
    : reference_(std::move(reference)), session_(options) {
  name_ = "'docker://" + reference_.ToString() + "'";
  RepositoryOptions found = session_.OptionsFor(reference_);
  retry_ = found.retry;
  repository_ = std::make_unique<Repository>(session_.services(), reference_, std::move(found));
  image_ = session_.Run([this, &choice] { return repository_->Resolve(choice); });
}

RegistryImage::~RegistryImage() = default;

StoredManifest RegistryImage::GetManifest(const Descriptor& descriptor) {
  return session_.Run([this, &descriptor] { return repository_->GetManifest(descriptor); });
}

std::vector<std::byte> RegistryImage::GetBlob(const Descriptor& descriptor, uint64_t max_bytes) {
  return session_.Run([this, &descriptor, max_bytes] { return repository_->GetBlob(descriptor, max_bytes); });
}

std::unique_ptr<codec::ByteSource> RegistryImage::OpenBlob(const Descriptor& descriptor) {
  std::unique_ptr<codec::ByteSource> source;
  const auto announced = std::ranges::find(announced_, descriptor.digest, [](const Ahead& a) { return a.blob.digest; });
  if (announced != announced_.end() && announced->blob.size == descriptor.size) {
    source = std::move(announced->source);
    // Those before it were passed over.
    announced_.erase(announced_.begin(), announced + 1);
  }
  if (!source) source = StartDownload(session_, *repository_, descriptor, retry_);
  FetchAhead();
  return source;
}

void RegistryImage::Announce(std::vector<Descriptor> blobs) {
  announced_.clear();
  for (Descriptor& blob : blobs) announced_.push_back({std::move(blob), nullptr});
}

void RegistryImage::FetchAhead() {
  const size_t count = std::min(kAhead, announced_.size());
  for (size_t i = 0; i < count; ++i) {
    Ahead& ahead = announced_[i];
    if (!ahead.source) ahead.source = StartDownload(session_, *repository_, ahead.blob, retry_);
  }
}

}  // namespace sluice::oci
