// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_target.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "oci/file_source.h"
#include "oci/media_types.h"
#include "oci/temporary_file.h"
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
    Take(bytes);
  }

  StoredBlob Finish() override {
    const StoredBlob blob{hasher_.Finish(), size_};
    if (held_) {
      if (target_.Has(blob)) return blob;
      StartSending();
    }
    if (!pipe_) {
      target_.session_.Run([this, &blob] { return PutWhole(blob); });
      return blob;
    }
    if (!piece_.empty()) Send();
    target_.session_.Run([this, &blob] { return pipe_->Finish(blob.digest); });
    return blob;
  }

 private:
  void Take(ConstBytes bytes) {
    while (!bytes.empty()) {
      if (piece_.size() == piece_bytes_) Push();
      const size_t count = std::min<size_t>(bytes.size(), piece_bytes_ - piece_.size());
      piece_.insert(piece_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
      bytes = bytes.subspan(count);
    }
  }
  // The piece is complete, and there is more to come.
  void Push() {
    if (!pipe_) {
      if (Hold()) return;
      StartSending();
      // The registry may want larger pieces than this one is.
      if (piece_.size() < piece_bytes_) return;
    }
    Send();
  }
  // False: it is to be sent.
  bool Hold() {
    if (!target_.MayHave(size_)) return false;
    try {
      if (!held_) held_.emplace();
      held_->Append(piece_);
    } catch (const Error&) {
      // There is no room for it: it is sent as it comes.
      target_.earlier_.clear();
      return false;
    }
    held_bytes_ += piece_.size();
    piece_.clear();
    return true;
  }
  void StartSending() {
    piece_bytes_ = target_.session_.Run([this] { return Start(); });
    piece_.reserve(piece_bytes_);
    if (!held_) return;
    target_.earlier_.clear();
    const std::vector<std::byte> rest = std::exchange(piece_, {});
    FileSource held({.file = InputFile::Adopt("temporary file", held_->Take()), .range = {0, held_bytes_}});
    held_.reset();
    std::vector<std::byte> buffer(256 * kKiB);
    while (const size_t count = held.Read(buffer)) Take(ConstBytes(buffer).first(count));
    Take(rest);
  }
  void Send() {
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
  std::optional<TemporaryFile> held_;  // what was written and not sent, but for the piece
  uint64_t held_bytes_ = 0;            // complete there
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

std::unique_ptr<BlobWriter> RegistryTarget::NewChunkBlob() {
  LookForEarlier();
  return NewBlob();
}

void RegistryTarget::LookForEarlier() {
  if (std::exchange(has_looked_, true)) return;
  std::optional<Manifest> manifest;
  try {
    manifest = session_.Run([this] { return writer_->FindManifest(); });
  } catch (const Error& error) {
    if (error.code() == Errc::kStopped) throw;
    // A hint that could not be had.  If the registry is broken, the upload will say so.
  }
  if (!manifest) return;
  for (const Descriptor& layer : manifest->layers) {
    const bool converted = layer.annotations.contains(std::string(annotation::kNydusBlob)) ||
                           layer.annotations.contains(std::string(annotation::kNydusBootstrap));
    if (converted) earlier_[layer.digest] = layer.size;
  }
}

bool RegistryTarget::MayHave(uint64_t size) const {
  return std::ranges::any_of(earlier_, [size](const auto& blob) { return blob.second >= size; });
}

bool RegistryTarget::Has(const StoredBlob& blob) {
  if (!earlier_.contains(blob.digest)) return false;
  return session_.Run([this, &blob] { return writer_->HasBlob(blob.digest, blob.size); });
}

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
