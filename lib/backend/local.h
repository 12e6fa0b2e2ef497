// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blobs as files named by their id in a directory: nydus's blob directory, or blobs/sha256 of an OCI layout.

#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace sluice::backend {

// Thread-safe: each shard asks it for its own sources.
class LocalBackend final : public Backend {
 public:
  // `directories`: absolute paths; a blob is taken from the first that has it.
  explicit LocalBackend(std::vector<std::string> directories) : directories_(std::move(directories)) {}
  // One file is the blob, whatever the blob's id.  `path` is absolute.
  static std::unique_ptr<LocalBackend> OfFile(const std::string& path);

  // The source opens the file at its first read, and anew after each failure: a blob that was missing or broken and is
  // put in its place is found without further ado.
  std::unique_ptr<BlobSource> Open(const BlobId& id) const override;

 private:
  std::vector<std::string> directories_;
  std::string name_;  // empty: files are named by the id
};

}  // namespace sluice::backend
