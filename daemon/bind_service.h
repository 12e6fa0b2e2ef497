// SPDX-License-Identifier: Apache-2.0
#pragma once
// The images that the kernel mounts by name through its own cache: bindings, and mounts made of them.  Over from one
// worker to the next.  Belongs to the control shard, which is the shard of the device.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "frontend/cachefiles/cache_directory.h"
#include "frontend/cachefiles/door.h"
#include "frontend/erofs_mount.h"
#include "image_fetcher.h"
#include "image_store.h"
#include "mount_points.h"
#include "mount_table.h"
#include "object_ledger.h"
#include "object_service.h"
#include "options.h"
#include "runtime/offload.h"
#include "runtime/semaphore.h"
#include "runtime/stop.h"
#include "served_image.h"
#include "serving.h"

namespace sluice::daemon {

class BindService final : public Serving, public api::BindService {
 public:
  // In which mounted images share their blobs.
  static constexpr const char* kMountDomain = "sluice";

  // All outlive the service.
  struct Parts {
    runtime::Engine& engine;      // of the control shard
    runtime::Offload& blocking;   // for mount(2) and files
    runtime::Offload& computing;  // for parsing bootstraps
    runtime::Offload& culling;    // of one thread, whose working directory changes
    ImageFetcher& fetcher;
    ObjectService& objects;
    const CachefilesOptions& options;
    Log& log;
    // mount(2); for tests.
    std::function<void(const frontend::FsidMount&)> mount = [](const auto& what) { frontend::MountErofs(what); };
    // The kernel has given up its cache: gives up the device and does not return.
    std::function<void()> abandon;
    bool domains = true;  // the kernel has them
    // For the kernel to let go of what has been unmounted.
    Duration close_time = std::chrono::seconds(3);
  };

  // `about`: the part of the status that does not change.  Makes directories below `root`.
  BindService(const Parts& parts, std::unique_ptr<frontend::cachefiles::Device> device, const std::string& root,
              api::Status about);
  // Closed.
  ~BindService() override = default;

  runtime::Task<api::MountInfo> Mount(api::MountRequest request) override;
  runtime::Task<void> Unmount(std::string mountpoint) override;
  std::vector<api::MountInfo> List() const override;
  runtime::Task<api::Status> GetStatus() override;

  runtime::Task<api::BindingInfo> Bind(api::BindRequest request) override;
  runtime::Task<void> Unbind(std::string fsid, std::string domain) override;
  std::vector<api::BindingInfo> Bindings() const override;

  runtime::Task<void> Sweep() override;
  runtime::Task<bool> UnmountAll() override;
  api::BindService* bindings() noexcept override { return this; }

  // Binds again what a previous worker had bound, and forgets its mounts that are gone.  Once, before Open().
  // `taken_over`: so is the device; otherwise what is mounted cannot be read any more, which is said.
  runtime::Task<void> Restore(bool taken_over);
  // Begins to answer the kernel.
  void Open() { door_.Open(); }
  runtime::Task<void> Close() { return door_.Close(); }

 private:
  struct Entry {
    MountRecord record;
    api::MountState state = api::MountState::kMounting;
    std::shared_ptr<const frontend::cachefiles::Binding> binding;
    bool inherited = false;  // bound by a previous worker, and not seen open by this one
  };
  using Name = std::pair<std::string, std::string>;  // domain, fsid
  using Entries = std::map<Name, Entry>;

  // An image that can be bound, not bound yet.
  struct Prepared {
    MountRecord record;
    BackendSecrets secrets;
    std::vector<std::byte> bootstrap;
    Layouts layouts;
  };

  // Many bindings of one image are restored at the cost of one.
  struct KnownBootstrap {
    uint64_t size = 0;
    Layouts layouts;
  };
  using KnownBootstraps = std::map<Digest, KnownBootstrap>;

  void CheckRoom(const std::string& image) const;
  runtime::Task<Prepared> Prepare(std::string image, api::ImageAccess access);

  // These run with changing_ held and to their end.
  runtime::Task<api::BindingInfo> DoBind(Prepared image);
  runtime::Task<void> DoUnbind(std::string fsid, std::string domain);
  runtime::Task<api::MountInfo> DoMount(Prepared image);
  runtime::Task<void> DoUnmount(std::string mountpoint);
  runtime::Task<bool> DoUnmountAll();
  runtime::Task<void> DoSweep();
  void PruneLedger() const;
  runtime::Task<void> RestoreOne(MountRecord record, bool taken_over, const std::vector<MountPoint>& points,
                                 KnownBootstraps& known);

  runtime::Task<Entries::iterator> Add(Prepared image);
  runtime::Task<void> Remove(Entries::iterator entry);
  std::shared_ptr<const frontend::cachefiles::Binding> MakeBinding(const MountRecord& record, const Layouts& layouts,
                                                                   uint64_t bootstrap_size, BackendSecrets secrets);
  void ClaimObjects(const frontend::cachefiles::Binding& binding, const Digest& bootstrap) const;
  void ChooseMountName(Prepared& image);
  // As far as can be told: also when it is mounted where this process does not see it.
  runtime::Task<bool> IsInUse(const Entry& entry, const std::vector<MountPoint>& points);
  runtime::Task<void> Reclaim();
  // Ends when `closed` does, or when that takes too long.
  runtime::Task<void> WaitShortly(runtime::Task<void> closed);

  Entries::iterator FindMount(const std::string& mountpoint);
  static api::MountInfo MountInfoOf(const Entry& entry);
  api::BindingInfo BindingInfoOf(const Entry& entry) const;

  const Parts parts_;
  const api::Status about_;
  const ImageStore images_;
  const MountTable table_;
  const ObjectLedger ledger_;
  const frontend::cachefiles::CacheDirectory directory_;
  frontend::cachefiles::Door door_;
  Entries entries_;
  bool closed_ = false;
  runtime::StopSource closing_;  // with it: images that are being fetched are not wanted any more
  runtime::Semaphore changing_{1};
};

}  // namespace sluice::daemon
