// SPDX-License-Identifier: Apache-2.0
#include "oci/archive_target.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "oci/layout.h"
#include "oci/media_types.h"
#include "oci/target_documents.h"

namespace sluice::oci {
namespace {

constexpr uint16_t kFilePermissions = 0644;
constexpr uint16_t kDirectoryPermissions = 0755;

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

// The header stands in front of the data and needs their size and digest: it is written last.
class ArchiveTarget::Writer final : public BlobWriter {
 public:
  explicit Writer(ArchiveTarget& target)
      : target_(target), start_(target.file_.size()), hasher_(DigestAlgorithm::kSha256) {
    static constexpr std::array<std::byte, kTarBlock> kPlaceholder{};
    target_.file_.Append(kPlaceholder);
  }
  ~Writer() override {
    if (finished_) return;
    try {
      target_.file_.Truncate(start_);
    } catch (const Error&) {
      // The file is not published without Commit, and Commit will not come after a blob was given up.
    }
  }

  void Write(ConstBytes bytes) override {
    hasher_.Update(bytes);
    target_.file_.Append(bytes);
  }

  StoredBlob Finish() override {
    const StoredBlob blob{hasher_.Finish(), target_.file_.size() - start_ - kTarBlock};
    if (target_.blobs_.insert(blob.digest).second) {
      static constexpr std::array<std::byte, kTarBlock> kZeros{};
      target_.file_.Append(ConstBytes(kZeros).first(AlignUp(blob.size, kTarBlock) - blob.size));
      target_.file_.WriteAt(TarHeader(Layout::BlobName(blob.digest), TarMemberType::kFile, kFilePermissions, blob.size),
                            start_);
    } else {
      target_.file_.Truncate(start_);
    }
    finished_ = true;
    return blob;
  }

 private:
  ArchiveTarget& target_;
  const uint64_t start_;
  Hasher hasher_;
  bool finished_ = false;
};

ArchiveTarget::ArchiveTarget(std::string path, std::string tag)
    : path_(std::move(path)),
      tag_(std::move(tag)),
      directory_(DirectoryOf(path_)),
      file_(directory_),
      sink_(file_),
      tar_(sink_) {
  tar_.AddFile("oci-layout", kFilePermissions, AsBytes(kLayoutVersionDocument));
  tar_.AddDirectory("blobs/", kDirectoryPermissions);
  tar_.AddDirectory("blobs/sha256/", kDirectoryPermissions);
}

std::unique_ptr<BlobWriter> ArchiveTarget::NewBlob() { return std::make_unique<Writer>(*this); }

bool ArchiveTarget::HasBlob(const Descriptor& blob) { return blobs_.contains(blob.digest); }

void ArchiveTarget::PutManifest(const StoredManifest& manifest) { PutBlob(manifest.bytes); }

Descriptor ArchiveTarget::Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) {
  PutBlob(manifest.bytes);
  Index index{.media_type = std::string(media_type::kIndex)};
  index.manifests.push_back(IndexEntry(manifest, platform, tag_));
  tar_.AddFile("index.json", kFilePermissions, AsBytes(Serialize(index)));
  tar_.Finish();
  file_.Finish();
  file_.Publish(path_);
  SyncDirectory(directory_);
  return index.manifests.front();
}

}  // namespace sluice::oci
