// SPDX-License-Identifier: Apache-2.0
// Mounts made of bindings; the rest of bind_service.h is in bind_service.cc.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "bind_service.h"
#include "runtime/combine.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

// As much of the bootstrap's digest as an fsid needs that nobody has to type.
constexpr size_t kMountNameDigits = 32;

}  // namespace

Task<api::MountInfo> BindService::Mount(api::MountRequest request) {
  if (!request.frontend.empty() && request.frontend != about_.frontend.name) {
    Throw(Errc::kUnsupported, "the front end of this daemon is {}, not {}", about_.frontend.name, request.frontend);
  }
  CheckRoom(request.image);
  auto resolve = [&] { return ResolveMountpoint(request.mountpoint); };
  const std::string path = co_await parts_.blocking.Run(parts_.engine, std::move(resolve));
  const runtime::Context fetching{parts_.engine, runtime::StopToken(closing_)};
  Task<Prepared> prepare = Prepare(std::move(request.image), std::move(request.access));
  Prepared image = co_await runtime::InContext(prepare, fetching);
  image.record.mountpoint = std::move(request.mountpoint);
  image.record.path = path;
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_return co_await runtime::WithoutStop(DoMount(std::move(image)));
}

Task<void> BindService::Unmount(std::string mountpoint) {
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_await runtime::WithoutStop(DoUnmount(std::move(mountpoint)));
}

Task<bool> BindService::UnmountAll() {
  const runtime::Permit alone = co_await changing_.Acquire(1);
  co_return co_await runtime::WithoutStop(DoUnmountAll());
}

std::vector<api::MountInfo> BindService::List() const {
  std::vector<api::MountInfo> list;
  for (const auto& [name, entry] : entries_) {
    if (!entry.record.mountpoint.empty()) list.push_back(MountInfoOf(entry));
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.mountpoint < b.mountpoint; });
  return list;
}

// The same for every mount of an image, as long as it is mounted once: what the kernel has is found again.
void BindService::ChooseMountName(Prepared& image) {
  MountRecord& record = image.record;
  if (parts_.domains) record.domain = kMountDomain;
  const auto try_names = [&] {
    for (uint64_t number = 0;; ++number) {
      record.fsid = fmt::format("{}-{}", record.bootstrap.Hex().substr(0, kMountNameDigits), number);
      if (!entries_.contains(Name(record.domain, record.fsid))) return;
    }
  };
  try_names();
  try {
    door_.CheckBindable(*MakeBinding(record, image.layouts, image.bootstrap.size(), {}));
  } catch (const Error& error) {
    if (error.code() != Errc::kExists) throw;
    // Another image gives one of its blobs other contents: this one shares nothing.
    record.domain.clear();
    try_names();
  }
}

Task<api::MountInfo> BindService::DoMount(Prepared image) {
  co_await DoSweep();
  const auto taken = FindMount(image.record.path);
  if (taken != entries_.end()) {
    Throw(Errc::kExists, "'{}' is mounted at '{}' already", taken->second.record.image, image.record.path);
  }
  image.record.bootstrap = DigestOf(DigestAlgorithm::kSha256, image.bootstrap);
  ChooseMountName(image);
  const Entries::iterator entry = co_await Add(std::move(image));
  const MountRecord& record = entry->second.record;
  const frontend::FsidMount mount{.fsid = record.fsid, .domain = record.domain, .mountpoint = record.path};
  std::exception_ptr failure;
  try {
    auto run = [&] { parts_.mount(mount); };
    co_await parts_.blocking.Run(parts_.engine, std::move(run));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await Remove(entry);
    std::rethrow_exception(failure);
  }
  entry->second.state = api::MountState::kMounted;
  parts_.log.Info("mounted '{}' at '{}'", record.image, record.path);
  co_return MountInfoOf(entry->second);
}

Task<void> BindService::DoUnmount(std::string mountpoint) {
  const auto entry = FindMount(mountpoint);
  if (entry == entries_.end()) Throw(Errc::kNotFound, "nothing of ours is mounted at '{}'", mountpoint);
  entry->second.state = api::MountState::kUnmounting;
  std::exception_ptr failure;
  try {
    auto unmount = [&path = entry->second.record.path] { frontend::Unmount(path); };
    co_await parts_.blocking.Run(parts_.engine, std::move(unmount));
  } catch (const Error& error) {
    // kNotFound: somebody else was faster.
    if (error.code() != Errc::kNotFound) failure = std::current_exception();
  }
  entry->second.state = api::MountState::kMounted;
  if (failure) std::rethrow_exception(failure);
  parts_.log.Info("unmounted '{}'", entry->second.record.path);
  co_await WaitShortly(door_.Closed(entry->second.binding->Key()));
  if (door_.IsOpen(entry->second.binding->Key())) {
    // A copy of the mount in another mount namespace: the next sweep after its end removes it.
    parts_.log.Warning("'{}' is still mounted in another mount namespace: serving it until that is gone",
                       entry->second.record.path);
    co_return;
  }
  co_await Remove(entry);
}

Task<bool> BindService::DoUnmountAll() {
  std::vector<std::string> paths;
  for (const auto& [name, entry] : entries_) {
    if (!entry.record.mountpoint.empty()) paths.push_back(entry.record.path);
  }
  for (const std::string& path : paths) {
    try {
      co_await DoUnmount(path);
    } catch (const Error& error) {
      parts_.log.Error("{}: still serving it", error.message());
    }
  }
  co_await DoSweep();
  co_await WaitShortly(door_.AllClosed());
  const std::vector<MountPoint> points = co_await parts_.blocking.Run(parts_.engine, &ReadMountPoints);
  closed_ = !door_.IsAnyOpen();
  for (const auto& [name, entry] : entries_) {
    const bool in_use = co_await IsInUse(entry, points);
    if (!in_use) continue;
    parts_.log.Error("{} is mounted: still serving it", entry.binding->Name());
    closed_ = false;
  }
  if (closed_) closing_.RequestStop();
  co_return closed_;
}

// By the path of the mount, or by the name under which it was asked for.
BindService::Entries::iterator BindService::FindMount(const std::string& mountpoint) {
  const std::string path = (std::filesystem::path(mountpoint) / "").lexically_normal().parent_path();
  return std::find_if(entries_.begin(), entries_.end(), [&](const auto& named) {
    const MountRecord& record = named.second.record;
    return !record.mountpoint.empty() && (record.path == path || record.mountpoint == mountpoint);
  });
}

api::MountInfo BindService::MountInfoOf(const Entry& entry) {
  api::MountInfo info;
  info.image = entry.record.image;
  info.mountpoint = entry.record.mountpoint;
  info.state = entry.state;
  for (const auto& layout : entry.binding->blobs) info.blobs.push_back(layout->id().hex());
  info.since = entry.record.since;
  return info;
}

}  // namespace sluice::daemon
