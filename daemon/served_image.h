// SPDX-License-Identifier: Apache-2.0
#pragma once
// An image whose blobs are served: what a mount needs besides the mount itself.  Belongs to the control shard.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend_spec.h"
#include "base/bytes.h"
#include "base/log.h"
#include "cache/blob_layout.h"
#include "cache/blob_store.h"
#include "runtime/shard.h"
#include "shard_service.h"

namespace sluice::daemon {

// The serving shards with what they serve.
class ShardServices {
 public:
  struct Member {
    runtime::Shard& shard;
    ShardService& service;
  };

  explicit ShardServices(std::vector<Member> members) : members_(std::move(members)) {}

  const std::vector<Member>& members() const noexcept { return members_; }
  // A blob belongs to the same shard as long as the number of shards does not change: its mark is in that shard's
  // group.
  const Member& Of(const BlobId& id) const;

 private:
  std::vector<Member> members_;
};

// Of all blobs of a bootstrap, in the order of its device slots.
using Layouts = std::vector<std::shared_ptr<const cache::BlobLayout>>;

// Throws kCorrupt and kUnsupported naming blob and reason;
// what passes can be mounted and served.  Takes long: call it in Offload.
Layouts LayoutsOf(ConstBytes bootstrap, const std::optional<BlobId>& inlined_id);

class ServedImage {
 public:
  // `services` outlive the image.  Afterwards the blobs are marked: mount, then Opened().
  static runtime::Task<std::unique_ptr<ServedImage>> Serve(const ShardServices& services, Layouts layouts,
                                                           BackendSpec backend, BackendSecrets secrets);
  // For an image that is mounted already, by a previous worker.  A blob that cannot be served is logged and left out:
  // it is marked still, so its readers get EIO.
  static runtime::Task<std::unique_ptr<ServedImage>> ServeAgain(const ShardServices& services, Layouts layouts,
                                                                BackendSpec backend, BackendSecrets secrets, Log& log);
  // Released.
  ~ServedImage() = default;

  // Of a mount of a previous worker: some blob could not be served again.
  bool lacks_blobs() const noexcept { return lacks_blobs_; }

  // The kernel has opened the data files for the mount, or will not.
  runtime::Task<void> Opened();
  // The mount is gone everywhere.  The last call.
  runtime::Task<void> Release();

  // In the order of the device slots.
  std::vector<std::string> data_paths() const;
  std::vector<std::string> blob_ids() const;

 private:
  explicit ServedImage(const ShardServices& services) : services_(services) {}
  runtime::Task<void> Acquire(std::shared_ptr<const cache::BlobLayout> layout, const BackendSpec& backend,
                              const BackendSecrets& secrets);

  const ShardServices& services_;
  std::vector<cache::BlobLease> leases_;
  bool lacks_blobs_ = false;
};

}  // namespace sluice::daemon
