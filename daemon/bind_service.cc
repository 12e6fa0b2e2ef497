// SPDX-License-Identifier: Apache-2.0
#include "bind_service.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "frontend/cachefiles/kernel_device.h"
#include "image/rafs/bootstrap_reader.h"
#include "runtime/combine.h"
#include "runtime/run_on.h"

namespace sluice::daemon {

using frontend::cachefiles::Binding;
using frontend::cachefiles::ObjectKey;
using runtime::Task;

namespace {

// Whether one of `options`, which are separated by commas, is `wanted`.
bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const size_t end = std::min(options.find(','), options.size());
    if (options.substr(0, end) == wanted) return true;
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  return false;
}

bool IsMounted(const std::vector<MountPoint>& points, const MountRecord& record) {
  return std::any_of(points.begin(), points.end(), [&](const MountPoint& point) {
    return point.type == "erofs" && HasOption(point.options, "fsid=" + record.fsid) &&
           (record.domain.empty() || HasOption(point.options, "domain_id=" + record.domain));
  });
}

}  // namespace

BindService::BindService(const Parts& parts, std::unique_ptr<frontend::cachefiles::Device> device,
                         const std::string& root, api::Status about)
    : parts_(parts),
      about_(std::move(about)),
      images_(root + "/images"),
      table_(root + "/bindings"),
      ledger_(root + "/objects"),
      directory_(parts.options.settings.directory),
      door_(parts.engine, std::move(device), parts.objects.objects(), parts.log) {}

Task<api::BindingInfo> BindService::Bind(api::BindRequest request) {
  CheckRoom(request.image);
  if (!request.domain.empty() && !parts_.domains) {
    Throw(Errc::kUnsupported, "'{}': this kernel mounts nothing in a domain (Linux 6.1 does): bind it without '{}'",
          request.image, request.domain);
  }
  const runtime::Context fetching{parts_.engine, runtime::StopToken(closing_)};
  Task<Prepared> prepare = Prepare(std::move(request.image), std::move(request.access));
  Prepared image = co_await runtime::InContext(prepare, fetching);
  image.record.fsid = std::move(request.fsid);
  image.record.domain = std::move(request.domain);
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_return co_await runtime::WithoutStop(DoBind(std::move(image)));
}

Task<void> BindService::Unbind(std::string fsid, std::string domain) {
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_await runtime::WithoutStop(DoUnbind(std::move(fsid), std::move(domain)));
}

Task<void> BindService::Sweep() {
  if (frontend::cachefiles::IsDead(door_.device())) {
    parts_.log.Error(
        "the kernel has given up its cache '{}' after an I/O error: beginning anew; unmount what is mounted",
        directory_.path());
    parts_.abandon();
  }
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_await runtime::WithoutStop(DoSweep());
  co_await Reclaim();
}

std::vector<api::BindingInfo> BindService::Bindings() const {
  std::vector<api::BindingInfo> list;
  for (const auto& [name, entry] : entries_) list.push_back(BindingInfoOf(entry));
  return list;
}

Task<api::Status> BindService::GetStatus() {
  api::Status status = about_;
  parts_.objects.AddTo(status);
  std::sort(status.blobs.begin(), status.blobs.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  status.mounts = List().size();
  status.bindings = entries_.size();
  co_return status;
}

void BindService::CheckRoom(const std::string& image) const {
  if (closed_) Throw(Errc::kBusy, "'{}': sluiced is stopping", image);
  if (entries_.size() >= MountTable::kMostMounts) {
    Throw(Errc::kLimit, "'{}': there are {} bindings already", image, MountTable::kMostMounts);
  }
}

Task<BindService::Prepared> BindService::Prepare(std::string name, api::ImageAccess access) {
  Prepared image;
  image.record.image = std::move(name);
  image.record.since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  ImageFetcher::Image fetched = co_await parts_.fetcher.Fetch(image.record.image, std::move(access));
  image.secrets = std::move(fetched.secrets);
  image.bootstrap = std::move(fetched.loaded.bootstrap);
  image.record.backend = std::move(fetched.loaded.backend);
  auto parse = [&] {
    // The kernel asks for the blob by the name that the bootstrap gives it.
    if (fetched.loaded.inlined_id) image::rafs::StoreInlinedId(image.bootstrap, *fetched.loaded.inlined_id);
    return LayoutsOf(image.bootstrap, std::nullopt);
  };
  image.layouts = co_await parts_.computing.Run(parts_.engine, std::move(parse));
  co_return image;
}

std::shared_ptr<const Binding> BindService::MakeBinding(const MountRecord& record, const Layouts& layouts,
                                                        uint64_t bootstrap_size, BackendSecrets secrets) {
  auto binding = std::make_shared<Binding>();
  binding->fsid = record.fsid;
  binding->domain = record.domain;
  binding->bootstrap_path = images_.PathOf(record.bootstrap);
  binding->bootstrap_size = bootstrap_size;
  binding->blobs = layouts;
  binding->open_source = [&objects = parts_.objects, backend = record.backend, kept = std::move(secrets)](
                             const BlobId& id) { return objects.OpenSource(backend, kept, id); };
  return binding;
}

// What the kernel has under these names is what it is going to get.  On the culling thread.
void BindService::ClaimObjects(const Binding& binding, const Digest& bootstrap) const {
  const auto claim = [&](const ObjectKey& key, const Digest& content) {
    if (ledger_.Find(key) == content) return;
    if (directory_.Cull(door_.device(), key) == frontend::cachefiles::CullResult::kInUse) {
      Throw(Errc::kBusy, "{}: '{}' is in use with other contents", binding.Name(), directory_.PathOf(key));
    }
    ledger_.Put(key, content);
  };
  claim(binding.Key(), bootstrap);
  for (const auto& layout : binding.blobs) claim(binding.KeyOf(*layout), layout->digest());
}

Task<BindService::Entries::iterator> BindService::Add(Prepared image) {
  MountRecord& record = image.record;
  CheckRoom(record.image);
  auto binding = MakeBinding(record, image.layouts, image.bootstrap.size(), image.secrets);
  door_.CheckBindable(*binding);
  auto store = [&] { images_.Put(image.bootstrap); };
  co_await parts_.blocking.Run(parts_.engine, std::move(store));
  auto claim = [&] { ClaimObjects(*binding, record.bootstrap); };
  co_await parts_.culling.Run(parts_.engine, std::move(claim));
  // The record first: there is no binding that the next worker does not know.
  auto note = [&] { table_.Put(record, image.secrets); };
  co_await parts_.blocking.Run(parts_.engine, std::move(note));
  door_.Bind(binding);
  const Name name(record.domain, record.fsid);
  const auto entry = entries_.try_emplace(name).first;
  entry->second.record = std::move(record);
  entry->second.binding = std::move(binding);
  co_return entry;
}

Task<void> BindService::Remove(Entries::iterator at) {
  Entry entry = std::move(at->second);
  entries_.erase(at);
  door_.Unbind(*entry.binding);
  auto remove = [&] { table_.Remove(entry.record); };
  try {
    co_await parts_.blocking.Run(parts_.engine, std::move(remove));
  } catch (const Error& error) {
    parts_.log.Warning("{}: {} is bound again at the next start", error.message(), entry.binding->Name());
  }
}

Task<api::BindingInfo> BindService::DoBind(Prepared image) {
  image.record.bootstrap = DigestOf(DigestAlgorithm::kSha256, image.bootstrap);
  if (image.record.fsid.empty()) image.record.fsid = image.record.bootstrap.Hex();
  const Entries::iterator entry = co_await Add(std::move(image));
  parts_.log.Info("bound '{}' as {}", entry->second.record.image, entry->second.binding->Name());
  co_return BindingInfoOf(entry->second);
}

Task<void> BindService::DoUnbind(std::string fsid, std::string domain) {
  const Name name(domain, fsid);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) {
    Throw(Errc::kNotFound, "nothing is bound as '{}'{}", fsid, domain.empty() ? "" : " in domain '" + domain + "'");
  }
  if (!entry->second.record.mountpoint.empty()) {
    Throw(Errc::kBusy, "{} is mounted at '{}' (use 'sluice umount')", entry->second.binding->Name(),
          entry->second.record.path);
  }
  const std::vector<MountPoint> points = co_await parts_.blocking.Run(parts_.engine, &ReadMountPoints);
  const bool mounted = IsMounted(points, entry->second.record);
  if (!mounted) co_await WaitShortly(door_.Closed(entry->second.binding->Key()));
  if (mounted || door_.IsOpen(entry->second.binding->Key())) {
    Throw(Errc::kBusy, "{} is mounted", entry->second.binding->Name());
  }
  parts_.log.Info("unbound {}", entry->second.binding->Name());
  co_await Remove(entry);
}

Task<bool> BindService::IsInUse(const Entry& entry, const std::vector<MountPoint>& points) {
  if (door_.IsOpen(entry.binding->Key()) || IsMounted(points, entry.record)) co_return true;
  if (!entry.inherited) co_return false;
  // The kernel tells a new worker of an object only when it is read.
  auto look = [&] { return directory_.IsInUse(door_.device(), entry.binding->Key().volume); };
  co_return co_await parts_.culling.Run(parts_.engine, std::move(look));
}

Task<void> BindService::WaitShortly(Task<void> closed) {
  try {
    co_await runtime::WithTimeout(parts_.engine, parts_.close_time, std::move(closed));
  } catch (const Error& error) {
    if (error.code() != Errc::kTimeout) throw;
  }
}

Task<void> BindService::DoSweep() {
  const std::vector<MountPoint> points = co_await parts_.blocking.Run(parts_.engine, &ReadMountPoints);
  std::vector<Name> gone;
  for (auto& [name, entry] : entries_) {
    if (door_.IsOpen(entry.binding->Key())) entry.inherited = false;
    if (entry.state != api::MountState::kMounted) continue;
    const bool in_use = co_await IsInUse(entry, points);
    if (!in_use) gone.push_back(name);
  }
  for (const Name& name : gone) {
    const auto entry = entries_.find(name);
    parts_.log.Info("'{}' was unmounted by somebody else", entry->second.record.path);
    co_await Remove(entry);
  }
}

Task<void> BindService::Reclaim() {
  const auto& settings = parts_.options.settings;
  std::map<ObjectKey, uint64_t> open;
  for (const auto& [name, entry] : entries_) {
    if (door_.IsOpen(entry.binding->Key())) open[entry.binding->Key()] = entry.binding->bootstrap_size;
  }
  parts_.objects.AddTo(open);
  auto reclaim = [&]() -> uint64_t {
    directory_.EmptyGraveyard();
    uint64_t wanted = directory_.Shortage(settings.cull, settings.run);
    if (wanted == 0 && parts_.options.quota == 0) return 0;
    std::vector<frontend::cachefiles::CachedFile> files = directory_.List();
    uint64_t used = 0;
    std::set<std::string> named;
    for (const auto& file : files) {
      used += file.bytes;
      named.insert(file.path());
    }
    for (const auto& [key, bytes] : open) {
      if (!named.contains(directory_.PathOf(key))) used += bytes;
    }
    if (parts_.options.quota != 0 && used > parts_.options.quota)
      wanted = std::max(wanted, used - parts_.options.quota);
    return wanted == 0 ? 0 : directory_.Reclaim(door_.device(), std::move(files), wanted);
  };
  const uint64_t freed = co_await parts_.culling.Run(parts_.engine, std::move(reclaim));
  if (freed > 0) parts_.log.Info("removed {} bytes of the cache that were not in use", freed);
}

// Names that nobody uses any more are forgotten, so that the ledger does not outgrow the cache.  On a new device: what
// the kernel has then has a name.
void BindService::PruneLedger() const {
  std::set<ObjectKey> keys = directory_.Keys();
  for (const auto& [name, entry] : entries_) {
    keys.insert(entry.binding->Key());
    for (const auto& layout : entry.binding->blobs) keys.insert(entry.binding->KeyOf(*layout));
  }
  ledger_.KeepOnly(keys);
}

Task<void> BindService::Restore(bool taken_over) {
  auto load = [&] { return table_.Load(); };
  const std::vector<MountRecord> records = co_await parts_.blocking.Run(parts_.engine, std::move(load));
  const std::vector<MountPoint> points = co_await parts_.blocking.Run(parts_.engine, &ReadMountPoints);
  KnownBootstraps known;
  for (const MountRecord& record : records) {
    try {
      co_await RestoreOne(record, taken_over, points, known);
    } catch (const Error& error) {
      parts_.log.Error("cannot bind '{}' as '{}' again: {}; its readers get EIO", record.image, record.fsid,
                       error.message());
    }
  }
  if (taken_over) co_return;
  auto prune = [&] { PruneLedger(); };
  co_await parts_.blocking.Run(parts_.engine, std::move(prune));
}

Task<void> BindService::RestoreOne(MountRecord record, bool taken_over, const std::vector<MountPoint>& points,
                                   KnownBootstraps& known) {
  KnownBootstrap& image = known[record.bootstrap];
  BackendSecrets secrets;
  auto load = [&] {
    secrets = table_.LoadSecrets(record);
    if (image.size != 0) return;
    const std::vector<std::byte> bootstrap = images_.Get(record.bootstrap);
    image.layouts = LayoutsOf(bootstrap, record.inlined_id);
    image.size = bootstrap.size();
  };
  co_await parts_.blocking.Run(parts_.engine, std::move(load));
  auto binding = MakeBinding(record, image.layouts, image.size, std::move(secrets));
  door_.Bind(binding);
  const Name name(record.domain, record.fsid);
  const auto entry = entries_.try_emplace(name).first;
  entry->second.record = std::move(record);
  entry->second.binding = std::move(binding);
  entry->second.inherited = taken_over;
  const MountRecord& kept = entry->second.record;
  if (IsMounted(points, kept) && !taken_over) {
    parts_.log.Error(
        "{} was mounted while nobody kept /dev/cachefiles: its readers get EIO; unmount and mount it again",
        entry->second.binding->Name());
  }
  if (kept.mountpoint.empty()) co_return;
  entry->second.state = api::MountState::kMounted;
  const bool in_use = co_await IsInUse(entry->second, points);
  if (!in_use) co_await Remove(entry);
}

api::BindingInfo BindService::BindingInfoOf(const Entry& entry) const {
  api::BindingInfo info;
  info.image = entry.record.image;
  info.fsid = entry.record.fsid;
  info.domain = entry.record.domain;
  info.mountpoint = entry.record.mountpoint;
  info.open = door_.IsOpen(entry.binding->Key());
  for (const auto& layout : entry.binding->blobs) info.blobs.push_back(layout->id().hex());
  info.since = entry.record.since;
  return info;
}

}  // namespace sluice::daemon
