// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is mounted, on disk, so that the next worker can go on serving: one JSON file per mount in `<root>/mounts`, and
// one for its secrets.  Format: docs/formats/mount-table.md.  Everything but the value's text form blocks: call it in
// Offload or before serving begins.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend_spec.h"
#include "base/blob_id.h"
#include "base/digest.h"

namespace sluice::daemon {

// Enough to serve the mount without its image reference.
struct MountRecord {
  std::string image;       // as requested
  std::string mountpoint;  // as requested
  std::string path;        // the mountpoint without symbolic links: what the kernel calls it
  std::chrono::sys_seconds since{};
  Digest bootstrap;                  // sha256: its name in the image store
  BackendSpec backend;               // where the blobs come from
  std::optional<BlobId> inlined_id;  // of the blob that the bootstrap was in
  // Of a binding, which is a mount only when it has a mountpoint.
  std::string fsid;
  std::string domain;

  bool operator==(const MountRecord&) const = default;
};

std::string FormatMountRecord(const MountRecord& record);
// Throws kCorrupt naming `what` and the field; unknown fields are errors.
MountRecord ParseMountRecord(std::string_view text, const std::string& what);

class MountTable {
 public:
  static constexpr size_t kMostMounts = 4096;

  // Makes the directory.
  explicit MountTable(std::string directory);

  // Sorted by path, the latest first.  Removes secrets that have no record.  A file that cannot be parsed is an error:
  // what it mounted must not be forgotten.
  std::vector<MountRecord> Load() const;
  // Empty for a record without secrets.  Throws kNotFound, kCorrupt; no message holds a secret.
  BackendSecrets LoadSecrets(const MountRecord& record) const;
  // Beside other records of the same path.  Throws kLimit for one that Load would refuse.
  void Put(const MountRecord& record, const BackendSecrets& secrets) const;
  void Remove(const MountRecord& record) const;

 private:
  std::string NameOf(const MountRecord& record) const;  // of its files, without what follows the point
  std::string directory_;
};

}  // namespace sluice::daemon
