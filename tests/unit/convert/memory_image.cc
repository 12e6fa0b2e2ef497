// SPDX-License-Identifier: Apache-2.0
#include "unit/convert/memory_image.h"

#include <fmt/core.h>

#include <utility>

#include "base/error.h"
#include "oci/media_types.h"
#include "unit/convert/layers.h"

namespace sluice::convert::test {

MemoryEntry FileWith(std::string_view path, std::string content) {
  MemoryEntry file{.entry = File(path, content.size()), .data = {}};
  if (!content.empty()) file.data.push_back({0, std::move(content)});
  return file;
}

MemoryEntry SparseFile(std::string_view path, uint64_t size, std::vector<Piece> data) {
  return {.entry = File(path, size), .data = std::move(data)};
}

std::optional<oci::LayerEntry> MemoryReader::Next() {
  if (next_entry_ == layer_.size()) {
    if (error_) throw *error_;
    return std::nullopt;
  }
  next_piece_ = 0;
  return layer_[next_entry_++].entry;
}

std::optional<oci::DataPiece> MemoryReader::NextData() {
  const std::vector<Piece>& data = layer_[next_entry_ - 1].data;
  if (next_piece_ == data.size()) return std::nullopt;
  const Piece& piece = data[next_piece_++];
  return oci::DataPiece{piece.offset, AsBytes(piece.bytes)};
}

MemorySource::MemorySource(std::vector<MemoryLayer> layers) : contents_(std::move(layers)) {
  config_.platform = {.os = "linux", .architecture = "amd64"};
  for (size_t i = 0; i < contents_.size(); ++i) layers_.push_back({.name = fmt::format("layer {}", i + 1)});
}

std::unique_ptr<oci::LayerReader> MemorySource::OpenLayer(size_t index) {
  std::optional<Error> error;
  if (broken_layer == index) error.emplace(Errc::kCorrupt, "its digest is another");
  return std::make_unique<MemoryReader>(contents_.at(index), std::move(error));
}

namespace {

class MemoryBlob final : public oci::BlobWriter {
 public:
  explicit MemoryBlob(std::map<Digest, std::string>& blobs) : blobs_(blobs) {}
  void Write(ConstBytes bytes) override { content_.append(AsText(bytes)); }
  oci::StoredBlob Finish() override {
    const Digest digest = DigestOf(DigestAlgorithm::kSha256, AsBytes(content_));
    const uint64_t size = content_.size();
    blobs_.emplace(digest, std::move(content_));
    return {digest, size};
  }

 private:
  std::map<Digest, std::string>& blobs_;
  std::string content_;
};

}  // namespace

std::unique_ptr<oci::BlobWriter> MemoryTarget::NewBlob() { return std::make_unique<MemoryBlob>(blobs); }

oci::Descriptor MemoryTarget::Commit(const oci::StoredManifest& stored, const std::optional<oci::Platform>& platform) {
  manifest = oci::ParseManifest(stored.bytes, "manifest");
  PutBlob(stored.bytes);
  return {.media_type = stored.media_type, .digest = stored.digest, .size = stored.bytes.size(), .platform = platform};
}

}  // namespace sluice::convert::test
