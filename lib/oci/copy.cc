// SPDX-License-Identifier: Apache-2.0
#include "oci/copy.h"

#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "oci/manifest_type.h"

namespace sluice::oci {
namespace {

constexpr size_t kPieceBytes = 256 * kKiB;
constexpr size_t kMaxManifests = 4096;  // of one image, over all indexes in it

// The manifests and indexes below an index, those first that others name.
class Collector {
 public:
  explicit Collector(StoredImage& source) : source_(source) {}

  void Add(const StoredManifest& index, int depth) {
    const std::string what = source_.name() + ": " + FormatDigest(index.digest);
    if (depth == kMaxIndexNesting) Throw(Errc::kCorrupt, "{}: more than {} indexes in one another", what, depth);
    for (const Descriptor& entry : ParseIndex(index.bytes, what).manifests) {
      if (!seen_.insert(entry.digest).second) continue;
      if (seen_.size() > kMaxManifests) Throw(Errc::kLimit, "{}: more than {} manifests", what, kMaxManifests);
      StoredManifest stored = source_.GetManifest(entry);
      if (KindOfMediaType(stored.media_type) == DocumentKind::kIndex) Add(stored, depth + 1);
      found_.push_back(std::move(stored));
    }
  }
  std::vector<StoredManifest> Take() { return std::move(found_); }

 private:
  StoredImage& source_;
  std::set<Digest> seen_;
  std::vector<StoredManifest> found_;
};

void CopyBlob(StoredImage& source, ImageTarget& target, const Descriptor& blob, CopyObserver& observer) {
  const std::unique_ptr<codec::ByteSource> from = source.OpenBlob(blob);
  const std::unique_ptr<BlobWriter> to = target.NewBlob();
  // Not given to the target before it is known to be right: a registry keeps what it once has.
  Hasher hasher(DigestAlgorithm::kSha256);
  std::vector<std::byte> piece(kPieceBytes);
  uint64_t copied = 0;
  while (const size_t count = from->Read(piece)) {
    const ConstBytes bytes = ConstBytes(piece).first(count);
    copied += count;
    if (copied > blob.size) break;
    hasher.Update(bytes);
    to->Write(bytes);
    observer.OnProgress(copied);
  }
  if (copied != blob.size || hasher.Finish() != blob.digest)
    Throw(Errc::kCorrupt, "{}: blob {} of {} bytes has other content", source.name(), FormatDigest(blob.digest),
          blob.size);
  (void)to->Finish();
}

}  // namespace

CopyReport CopyImage(StoredImage& source, ImageTarget& target, bool all, CopyObserver& observer) {
  const ResolvedImage& image = source.image();
  StoredManifest root{
      .media_type = image.descriptor.media_type, .digest = image.descriptor.digest, .bytes = image.bytes};
  std::vector<StoredManifest> parts;
  std::optional<Platform> platform = image.descriptor.platform;
  if (all && image.index) {
    Collector collector(source);
    collector.Add(*image.index, 0);
    parts = collector.Take();
    root = *image.index;
    platform.reset();
  }

  CopyReport report;
  std::vector<Descriptor> missing;
  std::set<Digest> seen;
  const auto look_at = [&](const StoredManifest& stored) {
    if (KindOfMediaType(stored.media_type) == DocumentKind::kIndex) return;
    Manifest manifest = ParseManifest(stored.bytes, source.name() + ": " + FormatDigest(stored.digest));
    manifest.layers.push_back(manifest.config);
    for (Descriptor& blob : manifest.layers) {
      if (!seen.insert(blob.digest).second) continue;
      ++report.blobs;
      const bool there = target.HasBlob(blob);
      if (there) {
        observer.OnBlob(blob, true);
      } else {
        missing.push_back(std::move(blob));
      }
    }
  };
  for (const StoredManifest& part : parts) look_at(part);
  if (parts.empty()) look_at(root);

  source.Announce(missing);
  for (const Descriptor& blob : missing) {
    observer.OnBlob(blob, false);
    CopyBlob(source, target, blob, observer);
    ++report.copied_blobs;
    report.copied_bytes += blob.size;
  }
  for (const StoredManifest& part : parts) target.PutManifest(part);
  report.root = target.Commit(root, platform);
  return report;
}

}  // namespace sluice::oci
