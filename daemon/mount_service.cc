// SPDX-License-Identifier: Apache-2.0
#include "mount_service.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "frontend/erofs_mount.h"
#include "mount_points.h"
#include "runtime/combine.h"
#include "runtime/run_on.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

bool IsMounted(const std::vector<MountPoint>& points, const MountRecord& record, const ImageStore& images) {
  const std::string source = images.PathOf(record.bootstrap);
  return std::any_of(points.begin(), points.end(), [&](const MountPoint& point) {
    return point.path == record.path && point.type == "erofs" && point.source == source;
  });
}

}  // namespace

MountService::MountService(const Parts& parts, const std::string& root, api::Status about)
    : engine_(parts.engine),
      blocking_(parts.blocking),
      computing_(parts.computing),
      shards_(parts.shards),
      fetcher_(parts.fetcher),
      log_(parts.log),
      about_(std::move(about)),
      root_(root),
      images_(root + "/images"),
      table_(root + "/mounts") {}

MountService::~MountService() {
  SLUICE_CHECK(mounts_.empty() && lingering_.empty(), "the mount service is destroyed while something is mounted");
}

// A request that is dropped half-way would leave half a mount: it is finished.
Task<api::MountInfo> MountService::Mount(api::MountRequest request) {
  // A server may take its time; meanwhile other mounts come and go.
  const runtime::Context loading{engine_, runtime::StopToken(closing_)};
  Task<Prepared> prepare = Prepare(std::move(request));
  Prepared image = co_await runtime::InContext(prepare, loading);
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_return co_await runtime::WithoutStop(DoMount(std::move(image)));
}

Task<void> MountService::Unmount(std::string mountpoint) {
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_await runtime::WithoutStop(DoUnmount(std::move(mountpoint)));
}

Task<void> MountService::Sweep() {
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_await runtime::WithoutStop(DoSweep());
}

Task<bool> MountService::UnmountAll() {
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_return co_await runtime::WithoutStop(DoUnmountAll());
}

std::vector<api::MountInfo> MountService::List() const {
  std::vector<api::MountInfo> list;
  for (const auto& [path, entry] : mounts_) list.push_back(InfoOf(entry));
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.mountpoint < b.mountpoint; });
  return list;
}

Task<api::Status> MountService::GetStatus() {
  api::Status status = about_;
  for (const ShardServices::Member& member : shards_.members()) {
    // The caller's frame is not touched by anybody else while the shard fills it in.
    auto add = [&]() -> Task<void> {
      member.service.AddTo(status);
      co_return;
    };
    co_await runtime::RunOn(member.shard, std::move(add));
  }
  std::sort(status.blobs.begin(), status.blobs.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  status.mounts = mounts_.size() + lingering_.size();
  co_return status;
}

void MountService::CheckRoom(const std::string& mountpoint) const {
  if (closed_) Throw(Errc::kBusy, "cannot mount at '{}': sluiced is stopping", mountpoint);
  if (mounts_.size() + lingering_.size() >= MountTable::kMostMounts) {
    Throw(Errc::kLimit, "cannot mount at '{}': there are {} mounts already", mountpoint, MountTable::kMostMounts);
  }
}

void MountService::CheckFree(const std::string& path) const {
  const auto taken = mounts_.find(path);
  if (taken != mounts_.end()) {
    Throw(Errc::kExists, "'{}' is mounted at '{}' already", taken->second.record.image, path);
  }
}

Task<MountService::Prepared> MountService::Prepare(api::MountRequest request) {
  CheckRoom(request.mountpoint);
  if (!request.frontend.empty() && request.frontend != about_.frontend.name) {
    Throw(Errc::kUnsupported, "the front end of this daemon is {}, not {}", about_.frontend.name, request.frontend);
  }
  auto resolve = [&] { return ResolveMountpoint(request.mountpoint); };
  Prepared image;
  image.record.path = co_await blocking_.Run(engine_, std::move(resolve));
  co_await Sweep();
  CheckFree(image.record.path);  // before anything is fetched for nothing
  image.record.image = std::move(request.image);
  image.record.mountpoint = std::move(request.mountpoint);
  image.record.since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());

  ImageFetcher::Image fetched = co_await fetcher_.Fetch(image.record.image, std::move(request.access));
  LoadedImage& loaded = fetched.loaded;
  image.secrets = std::move(fetched.secrets);
  image.bootstrap = std::move(loaded.bootstrap);
  image.record.backend = std::move(loaded.backend);
  image.record.inlined_id = loaded.inlined_id;
  auto parse = [&] { return LayoutsOf(image.bootstrap, image.record.inlined_id); };
  image.layouts = co_await computing_.Run(engine_, std::move(parse));
  co_return image;
}

Task<api::MountInfo> MountService::DoMount(Prepared image) {
  const std::string path = image.record.path;
  CheckRoom(path);
  co_await DoSweep();
  CheckFree(path);
  auto store = [&] { image.record.bootstrap = images_.Put(image.bootstrap); };
  co_await blocking_.Run(engine_, std::move(store));
  Entry fresh{.record = std::move(image.record)};
  fresh.image = co_await ServedImage::Serve(shards_, std::move(image.layouts), fresh.record.backend, image.secrets);

  const auto entry = mounts_.emplace(path, std::move(fresh)).first;
  std::exception_ptr failure;
  try {
    co_await MountImage(entry, image.secrets);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await entry->second.image->Opened();
  if (failure) {
    Entry failed = std::move(entry->second);
    mounts_.erase(entry);
    co_await Forget(std::move(failed));
    std::rethrow_exception(failure);
  }
  entry->second.state = api::MountState::kMounted;
  log_.Info("mounted '{}' at '{}'", entry->second.record.image, path);
  co_return InfoOf(entry->second);
}

Task<void> MountService::MountImage(Entries::iterator entry, const BackendSecrets& secrets) {
  const MountRecord& record = entry->second.record;
  const frontend::ErofsMount mount{.bootstrap = images_.PathOf(record.bootstrap),
                                   .devices = entry->second.image->data_paths(),
                                   .mountpoint = record.path};
  auto run = [&] {
    // The record first: there is no mount that the next worker does not know.
    table_.Put(record, secrets);
    frontend::MountErofs(mount);
  };
  co_await blocking_.Run(engine_, std::move(run));
}

Task<void> MountService::DoUnmount(std::string mountpoint) {
  const auto entry = FindMount(mountpoint);
  if (entry == mounts_.end()) Throw(Errc::kNotFound, "nothing of ours is mounted at '{}'", mountpoint);
  entry->second.state = api::MountState::kUnmounting;
  std::exception_ptr failure;
  try {
    auto unmount = [&path = entry->second.record.path] { frontend::Unmount(path); };
    co_await blocking_.Run(engine_, std::move(unmount));
  } catch (const Error& error) {
    // kNotFound: somebody else was faster.
    if (error.code() != Errc::kNotFound) failure = std::current_exception();
  }
  if (failure) {
    entry->second.state = api::MountState::kMounted;
    std::rethrow_exception(failure);
  }
  log_.Info("unmounted '{}'", entry->second.record.path);
  co_await Retire(entry);
}

Task<bool> MountService::DoUnmountAll() {
  co_await DoSweep();
  std::vector<std::string> paths;
  for (const auto& [path, entry] : mounts_) paths.push_back(path);
  for (const std::string& path : paths) {
    try {
      co_await DoUnmount(path);
    } catch (const Error& error) {
      log_.Error("{}: still serving it", error.message());
    }
  }
  co_await DoSweep();
  for (const Entry& entry : lingering_) {
    log_.Error("'{}', unmounted from '{}', is still mounted in another mount namespace: still serving it",
               entry.record.image, entry.record.path);
  }
  closed_ = mounts_.empty() && lingering_.empty();
  if (closed_) closing_.RequestStop();
  co_return closed_;
}

Task<void> MountService::DoSweep() {
  if (mounts_.empty() && lingering_.empty()) co_return;
  const std::vector<MountPoint> points = co_await blocking_.Run(engine_, &ReadMountPoints);
  std::vector<std::string> gone;
  for (const auto& [path, entry] : mounts_) {
    if (!IsMounted(points, entry.record, images_)) gone.push_back(path);
  }
  for (const std::string& path : gone) {
    log_.Info("'{}' was unmounted by somebody else", path);
    co_await Retire(mounts_.find(path));
  }
  for (Entry& entry : std::exchange(lingering_, {})) {
    const bool lingers = co_await IsReadElsewhere(entry.record);
    if (lingers) {
      lingering_.push_back(std::move(entry));
    } else {
      log_.Info("'{}', unmounted from '{}', is not mounted anywhere any more", entry.record.image, entry.record.path);
      co_await Forget(std::move(entry));
    }
  }
}

// The mount is gone here.  Copies of it in other mount namespaces (of containers) are still read: then its blobs go on
// being served.
Task<void> MountService::Retire(Entries::iterator entry) {
  Entry retired = std::move(entry->second);
  mounts_.erase(entry);
  // Whoever uses the same bootstrap, with the same name for the blob that it was in, serves the same blobs.
  bool lingers = false;
  if (!OthersUse(retired.record)) lingers = co_await IsReadElsewhere(retired.record);
  if (lingers) {
    log_.Warning("'{}' is still mounted in another mount namespace: serving it until that is gone",
                 retired.record.path);
    lingering_.push_back(std::move(retired));
  } else {
    co_await Forget(std::move(retired));
  }
}

// The record last: whoever is killed before leaves one that the next worker forgets.
Task<void> MountService::Forget(Entry entry) {
  if (entry.image) co_await entry.image->Release();
  // The same image, mounted again within the second, has the same record.
  if (OthersHave(entry.record)) co_return;
  auto remove = [&] { table_.Remove(entry.record); };
  try {
    co_await blocking_.Run(engine_, std::move(remove));
  } catch (const Error& error) {
    log_.Warning("{}: it is forgotten at the next start", error.message());
  }
}

Task<bool> MountService::IsReadElsewhere(const MountRecord& record) {
  auto look = [path = images_.PathOf(record.bootstrap)] { return frontend::IsOpenSomewhere(path); };
  try {
    co_return co_await blocking_.Run(engine_, std::move(look));
  } catch (const Error& error) {
    log_.Warning("{}: serving it as if it were still mounted", error.message());
  }
  co_return true;
}

Task<bool> MountService::Restore(bool guarded) {
  auto load = [&] { return table_.Load(); };
  const std::vector<MountRecord> records = co_await blocking_.Run(engine_, std::move(load));
  const std::vector<MountPoint> points = co_await blocking_.Run(engine_, &ReadMountPoints);
  KnownLayouts known;
  bool all_served = true;
  for (const MountRecord& record : records) {
    const bool visible = IsMounted(points, record, images_);
    if (visible && !guarded) {
      log_.Error(
          "'{}' was mounted while nobody kept its fanotify group: what was read meanwhile may be zeros; unmount and "
          "mount it again",
          record.path);
    }
    const bool served = co_await RestoreOne(record, visible, known);
    all_served = all_served && served;
  }
  co_return all_served;
}

Task<bool> MountService::RestoreOne(MountRecord record, bool visible, KnownLayouts& known) {
  Entry entry{.record = std::move(record)};
  bool alive = visible;
  if (!alive) alive = co_await IsReadElsewhere(entry.record);
  if (!alive) {
    co_await Forget(std::move(entry));
    co_return true;
  }
  bool served = false;
  try {
    Layouts& layouts = known[{entry.record.bootstrap, entry.record.inlined_id}];
    if (layouts.empty()) {
      auto load = [&] { return LayoutsOf(images_.Get(entry.record.bootstrap), entry.record.inlined_id); };
      layouts = co_await blocking_.Run(engine_, std::move(load));
    }
    auto load_secrets = [&] { return table_.LoadSecrets(entry.record); };
    BackendSecrets secrets = co_await blocking_.Run(engine_, std::move(load_secrets));
    entry.image = co_await ServedImage::ServeAgain(shards_, layouts, entry.record.backend, std::move(secrets), log_);
    served = !entry.image->lacks_blobs();
    log_.Info("serving '{}' at '{}' again", entry.record.image, entry.record.path);
  } catch (const Error& error) {
    // The marks of its blobs outlived the worker: their readers get EIO, not zeros.
    log_.Error("cannot serve '{}' at '{}' again: {}; its readers get EIO", entry.record.image, entry.record.path,
               error.message());
  }
  // What was mounted at the same path before is not visible there, even if its image is the same.
  if (visible && !mounts_.contains(entry.record.path)) {
    entry.state = api::MountState::kMounted;
    const std::string path = entry.record.path;
    mounts_.emplace(path, std::move(entry));
  } else {
    lingering_.push_back(std::move(entry));
  }
  co_return served;
}

// By the path of the mount, or by the name under which it was asked for.
MountService::Entries::iterator MountService::FindMount(const std::string& mountpoint) {
  const auto exact = mounts_.find((std::filesystem::path(mountpoint) / "").lexically_normal().parent_path());
  if (exact != mounts_.end()) return exact;
  return std::find_if(mounts_.begin(), mounts_.end(),
                      [&](const auto& entry) { return entry.second.record.mountpoint == mountpoint; });
}

api::MountInfo MountService::InfoOf(const Entry& entry) {
  return {.image = entry.record.image,
          .mountpoint = entry.record.mountpoint,
          .state = entry.state,
          .blobs = entry.image ? entry.image->blob_ids() : std::vector<std::string>{},
          .since = entry.record.since};
}

bool MountService::OthersHave(const MountRecord& record) const {
  const auto has = [&](const Entry& entry) { return entry.record == record; };
  return std::any_of(mounts_.begin(), mounts_.end(), [&](const auto& entry) { return has(entry.second); }) ||
         std::any_of(lingering_.begin(), lingering_.end(), has);
}

bool MountService::OthersUse(const MountRecord& record) const {
  const auto uses = [&](const Entry& entry) {
    return entry.image && entry.record.bootstrap == record.bootstrap && entry.record.inlined_id == record.inlined_id;
  };
  return std::any_of(mounts_.begin(), mounts_.end(), [&](const auto& entry) { return uses(entry.second); }) ||
         std::any_of(lingering_.begin(), lingering_.end(), uses);
}

}  // namespace sluice::daemon
