// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_target.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "oci/upload_pipe.h"

namespace sluice::oci {

using runtime::Task;

namespace {

// Blobs up to this size are sent at once, when their digest is known: then it is not sent at all if the registry has
// it.
constexpr size_t kWholeBytes = 8 * kMiB;

}  // namespace

class RegistryTarget::Writer final : public BlobWriter {
 public:
  explicit Writer(RegistryTarget& target) : target_(target), hasher_(DigestAlgorithm::kSha256) {}
  ~Writer() override {
    if (!pipe_) return;
    auto close = [this]() -> Task<void> {
      co_await pipe_->Close();
      pipe_.reset();
    };
    runtime::BlockOn(target_.session_.shard(), std::move(close));
  }

  void Write(ConstBytes bytes) override {
    hasher_.Update(bytes);
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (piece_.size() == piece_bytes_) Push();
      const size_t count = std::min<size_t>(bytes.size(), piece_bytes_ - piece_.size());
      piece_.insert(piece_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
      bytes = bytes.subspan(count);
    }
  }

  StoredBlob Finish() override {
    const StoredBlob blob{hasher_.Finish(), size_};
    if (!pipe_) {
      target_.session_.Run([this, &blob] { return PutWhole(blob); });
      return blob;
    }
    if (!piece_.empty()) Push();
    target_.session_.Run([this, &blob] { return pipe_->Finish(blob.digest); });
    return blob;
  }

 private:
  void Push() {
    if (!pipe_) {
      piece_bytes_ = target_.session_.Run([this] { return Start(); });
      // The registry may want larger pieces than the first one is.
      if (piece_.size() < piece_bytes_) return;
    }
    std::vector<std::byte> piece = std::exchange(piece_, {});
    piece_.reserve(piece_bytes_);
    target_.session_.Run([this, &piece] { return pipe_->Push(std::move(piece)); });
  }
  Task<uint64_t> Start() {
    pipe_ = std::make_unique<UploadPipe>(target_.session_.engine(), *target_.writer_);
    co_return co_await pipe_->Start();
  }
  Task<void> PutWhole(StoredBlob blob) {
    const bool there = co_await target_.writer_->HasBlob(blob.digest, blob.size);
    if (!there) co_await target_.writer_->PutBlob(blob.digest, piece_);
  }

  RegistryTarget& target_;
  Hasher hasher_;
  uint64_t size_ = 0;
  std::vector<std::byte> piece_;
  uint64_t piece_bytes_ = kWholeBytes;
  std::unique_ptr<UploadPipe> pipe_;  // belongs to the shard
};

RegistryTarget::RegistryTarget(RegistryReference reference, const RegistryOptions& options,
                               const RegistryReference* source)
    : reference_(std::move(reference)), session_(options) {
  if (reference_.digest)
    Throw(Errc::kInvalidArgument, "target 'docker://{}' names a digest: the image has its own", reference_.ToString());
  const bool neighbour = source != nullptr && source->host == reference_.host;
  writer_ = std::make_unique<RepositoryWriter>(session_.services(), reference_, session_.OptionsFor(reference_),
                                               neighbour ? source->repository : std::string());
}

RegistryTarget::~RegistryTarget() = default;

bool RegistryTarget::HasBlob(const Descriptor& blob) {
  auto ask = [this, &blob]() -> Task<bool> {
    const bool there = co_await writer_->HasBlob(blob.digest, blob.size);
    if (there) co_return true;
    co_return co_await writer_->MountBlob(blob.digest);
  };
  return session_.Run(std::move(ask));
}

std::unique_ptr<BlobWriter> RegistryTarget::NewBlob() { return std::make_unique<Writer>(*this); }

void RegistryTarget::PutManifest(const StoredManifest& manifest) {
  session_.Run([this, &manifest] {
    return writer_->PutManifest(FormatDigest(manifest.digest), manifest.media_type, manifest.bytes);
  });
}

Descriptor RegistryTarget::Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) {
  session_.Run([this, &manifest] { return writer_->PutManifest(reference_.tag, manifest.media_type, manifest.bytes); });
  return {.media_type = manifest.media_type,
          .digest = manifest.digest,
          .size = manifest.bytes.size(),
          .platform = platform};
}

}  // namespace sluice::oci
