// SPDX-License-Identifier: Apache-2.0
#pragma once
// Images in memory: a source made of entries, a target that keeps what it is given.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "oci/image_source.h"
#include "oci/image_target.h"
#include "oci/layer_reader.h"

namespace sluice::convert::test {

struct Piece {
  uint64_t offset = 0;
  std::string bytes;
};

struct MemoryEntry {
  oci::LayerEntry entry;
  std::vector<Piece> data;
};

// A regular file with this content in one piece.
MemoryEntry FileWith(std::string_view path, std::string content);
// A regular file of `size` bytes with holes between its pieces.
MemoryEntry SparseFile(std::string_view path, uint64_t size, std::vector<Piece> data);

using MemoryLayer = std::vector<MemoryEntry>;

// Reads `layer`, which outlives it; fails at its end when `error` is given, as a layer with a wrong digest does.
class MemoryReader final : public oci::LayerReader {
 public:
  explicit MemoryReader(const MemoryLayer& layer, std::optional<Error> error = {})
      : layer_(layer), error_(std::move(error)) {}
  std::optional<oci::LayerEntry> Next() override;
  std::optional<oci::DataPiece> NextData() override;

 private:
  const MemoryLayer& layer_;
  const std::optional<Error> error_;
  size_t next_entry_ = 0;
  size_t next_piece_ = 0;
};

class MemorySource final : public oci::ImageSource {
 public:
  explicit MemorySource(std::vector<MemoryLayer> layers);
  std::unique_ptr<oci::LayerReader> OpenLayer(size_t index) override;

  oci::ImageConfig& config() { return config_; }
  // The layer whose end is an error.
  std::optional<size_t> broken_layer;

 private:
  const std::vector<MemoryLayer> contents_;
};

class MemoryTarget final : public oci::ImageTarget {
 public:
  using oci::ImageTarget::Commit;
  bool HasBlob(const oci::Descriptor& blob) override { return blobs.contains(blob.digest); }
  std::unique_ptr<oci::BlobWriter> NewBlob() override;
  void PutManifest(const oci::StoredManifest& stored) override { PutBlob(stored.bytes); }
  oci::Descriptor Commit(const oci::StoredManifest& stored, const std::optional<oci::Platform>& platform) override;

  const std::string& Blob(const Digest& digest) const { return blobs.at(digest); }

  std::map<Digest, std::string> blobs;
  std::optional<oci::Manifest> manifest;
};

}  // namespace sluice::convert::test
