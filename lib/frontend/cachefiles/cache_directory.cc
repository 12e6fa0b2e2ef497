// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/cache_directory.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "frontend/cachefiles/keys.h"

namespace sluice::frontend::cachefiles {
namespace {

constexpr uint64_t kStatBlock = 512;  // of st_blocks

int64_t Nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// Sends "<verb> <name>", which the kernel understands relative to the working directory of the thread.
int64_t CommandIn(const Device& device, const std::string& directory, const std::string& verb,
                  const std::string& name) {
  // Only this thread's.
  if (::unshare(CLONE_FS) != 0) ThrowErrno(errno, "cannot have a working directory of its own");
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) {
    if (errno == ENOENT) return -ESTALE;
    ThrowErrno(errno, "cannot open '{}'", directory);
  }
  if (::fchdir(opened.get()) != 0) ThrowErrno(errno, "cannot change to '{}'", directory);
  const int64_t result = device.Command(verb + " " + name);
  // Not to keep it.
  if (::chdir("/") != 0) ThrowErrno(errno, "cannot change to '/'");
  return result;
}

void AddFiles(const std::filesystem::path& directory, std::vector<CachedFile>& files) {
  std::error_code gone;
  for (std::filesystem::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    if (files.size() >= CacheDirectory::kMostFiles) return;
    struct stat status {};
    if (::lstat(at->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back({.directory = directory.string(),
                     .name = at->path().filename().string(),
                     .bytes = static_cast<uint64_t>(status.st_blocks) * kStatBlock,
                     .last_used = std::max(Nanoseconds(status.st_atim), Nanoseconds(status.st_mtim))});
  }
}

}  // namespace

std::string CacheDirectory::PathOf(const ObjectKey& key) const {
  return path_ + "/" + DirectoryOf(key) + "/" + FileNameOf(key);
}

std::vector<CachedFile> CacheDirectory::List() const {
  std::vector<CachedFile> files;
  std::error_code gone;
  // cache/I<volume>/@<hh>/<file>
  for (std::filesystem::directory_iterator volume(path_ + "/cache", gone), end; !gone && volume != end;
       volume.increment(gone)) {
    std::error_code volume_gone;
    for (std::filesystem::directory_iterator part(volume->path(), volume_gone); !volume_gone && part != end;
         part.increment(volume_gone)) {
      AddFiles(part->path(), files);
    }
  }
  return files;
}

std::set<ObjectKey> CacheDirectory::Keys() const {
  std::set<ObjectKey> keys;
  for (const CachedFile& file : List()) {
    const std::string volume = std::filesystem::path(file.directory).parent_path().filename();
    // 'I' and 'D' go before the keys; names that are encoded otherwise are not ours.
    if (volume.starts_with('I') && file.name.starts_with('D')) keys.emplace(volume.substr(1), file.name.substr(1));
  }
  return keys;
}

void CacheDirectory::EmptyGraveyard() const {
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(path_ + "/graveyard", ignored), end; !ignored && at != end;
       at.increment(ignored)) {
    std::error_code failed;
    std::filesystem::remove_all(at->path(), failed);
  }
}

uint64_t CacheDirectory::Shortage(uint64_t cull_percent, uint64_t run_percent) const {
  struct statvfs space {};
  if (::statvfs(path_.c_str(), &space) != 0) ThrowErrno(errno, "cannot tell how much of '{}' is free", path_);
  const uint64_t percent = std::max<uint64_t>(space.f_blocks / 100, 1);
  if (space.f_bavail >= cull_percent * percent) return 0;
  return (run_percent * percent - space.f_bavail) * space.f_frsize;
}

CullResult CacheDirectory::Cull(const Device& device, const CachedFile& file) const {
  const int64_t result = CommandIn(device, file.directory, "cull", file.name);
  if (result >= 0) return CullResult::kCulled;
  if (result == -ESTALE || result == -ENOENT) return CullResult::kAbsent;
  if (result == -EBUSY) return CullResult::kInUse;
  ThrowErrno(static_cast<int>(-result), "cannot cull '{}'", file.path());
}

CullResult CacheDirectory::Cull(const Device& device, const ObjectKey& key) const {
  CachedFile file;
  file.directory = path_ + "/" + DirectoryOf(key);
  file.name = FileNameOf(key);
  return Cull(device, file);
}

uint64_t CacheDirectory::Reclaim(const Device& device, std::vector<CachedFile> files, uint64_t bytes) const {
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.last_used < b.last_used; });
  uint64_t freed = 0;
  for (const CachedFile& file : files) {
    if (freed >= bytes) break;
    if (Cull(device, file) == CullResult::kCulled) freed += file.bytes;
  }
  return freed;
}

bool CacheDirectory::IsInUse(const Device& device, const std::string& volume_key) const {
  return CommandIn(device, path_ + "/cache", "inuse", "I" + volume_key) == -EBUSY;
}

}  // namespace sluice::frontend::cachefiles
