// SPDX-License-Identifier: Apache-2.0
#pragma once
// The mounts: from a request to a mount(2) and back, and over from one worker to the next.  Belongs to the control
// shard.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "image_fetcher.h"
#include "image_store.h"
#include "mount_table.h"
#include "runtime/engine.h"
#include "runtime/offload.h"
#include "runtime/semaphore.h"
#include "runtime/stop.h"
#include "served_image.h"
#include "serving.h"

namespace sluice::daemon {

class MountService final : public Serving {
 public:
  struct Parts {
    runtime::Engine& engine;      // of the control shard
    runtime::Offload& blocking;   // for mount(2) and files
    runtime::Offload& computing;  // for parsing bootstraps
    const ShardServices& shards;
    ImageFetcher& fetcher;
    Log& log;
  };

  // All parts outlive the service.  `about`: the part of the status that does not change.  Makes directories below
  // `root`.
  MountService(const Parts& parts, const std::string& root, api::Status about);
  // Nothing is mounted.
  ~MountService() override;

  runtime::Task<api::MountInfo> Mount(api::MountRequest request) override;
  runtime::Task<void> Unmount(std::string mountpoint) override;
  std::vector<api::MountInfo> List() const override;
  runtime::Task<api::Status> GetStatus() override;

  // Serves again what a previous worker had mounted and what is still mounted somewhere; forgets the rest.  Once,
  // before the kernel is answered.  `guarded`: its fanotify groups were kept; otherwise readers may have seen zeros
  // meanwhile, which is said.  True: every blob that was served is served again.
  runtime::Task<bool> Restore(bool guarded);
  // Notices what others have unmounted.
  runtime::Task<void> Sweep() override;
  runtime::Task<bool> UnmountAll() override;

 private:
  struct Entry {
    MountRecord record;
    api::MountState state = api::MountState::kMounting;
    std::unique_ptr<ServedImage> image;
  };
  using Entries = std::map<std::string, Entry>;
  // Of bootstraps that have been parsed, by digest and inlined id: many mounts of one image are restored at the cost of
  // one.
  using KnownLayouts = std::map<std::pair<Digest, std::optional<BlobId>>, Layouts>;

  // An image that can be served, not served yet.
  struct Prepared {
    MountRecord record;
    BackendSecrets secrets;
    std::vector<std::byte> bootstrap;
    Layouts layouts;
  };

  void CheckRoom(const std::string& mountpoint) const;
  // Throws kExists.
  void CheckFree(const std::string& path) const;
  runtime::Task<Prepared> Prepare(api::MountRequest request);

  // These run with changing_ held and to their end.
  runtime::Task<api::MountInfo> DoMount(Prepared image);
  runtime::Task<void> DoUnmount(std::string mountpoint);
  runtime::Task<bool> DoUnmountAll();
  runtime::Task<void> DoSweep();
  runtime::Task<void> MountImage(Entries::iterator entry, const BackendSecrets& secrets);
  runtime::Task<bool> RestoreOne(MountRecord record, bool visible, KnownLayouts& known);
  runtime::Task<void> Retire(Entries::iterator entry);
  runtime::Task<void> Forget(Entry entry);
  runtime::Task<bool> IsReadElsewhere(const MountRecord& record);

  Entries::iterator FindMount(const std::string& mountpoint);
  static api::MountInfo InfoOf(const Entry& entry);
  bool OthersHave(const MountRecord& record) const;
  bool OthersUse(const MountRecord& record) const;

  runtime::Engine& engine_;
  runtime::Offload& blocking_;
  runtime::Offload& computing_;
  const ShardServices& shards_;
  ImageFetcher& fetcher_;
  Log& log_;
  const api::Status about_;
  const std::string root_;
  const ImageStore images_;
  const MountTable table_;
  Entries mounts_;                // by record.path
  std::vector<Entry> lingering_;  // unmounted here, still mounted in another mount namespace
  bool closed_ = false;           // everything is unmounted for good
  runtime::StopSource closing_;   // with it: images that are being loaded are not wanted any more
  runtime::Semaphore changing_{1};
};

}  // namespace sluice::daemon
