// SPDX-License-Identifier: Apache-2.0
#pragma once
// The files of the kernel's cache: what they occupy, and removing those that nobody has used for longest.  Everything
// here blocks: call it in Offload.  What culls changes the working directory of its thread, so it runs in an Offload of
// its own with one thread.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "frontend/cachefiles/device.h"
#include "frontend/cachefiles/message.h"

namespace sluice::frontend::cachefiles {

// A file that has a name.  An object that is in use for the first time has none before it is withdrawn.
struct CachedFile {
  std::string directory;  // absolute
  std::string name;
  uint64_t bytes = 0;     // that it occupies
  int64_t last_used = 0;  // nanoseconds since 1970

  std::string path() const { return directory + "/" + name; }
  bool operator==(const CachedFile&) const = default;
};

enum class CullResult { kCulled, kAbsent, kInUse };

class CacheDirectory {
 public:
  // A listing ends here; the rest is looked at when something has been removed.
  static constexpr size_t kMostFiles = 1 << 20;

  // `path`: what CacheSettings calls directory.
  explicit CacheDirectory(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  std::string PathOf(const ObjectKey& key) const;

  std::vector<CachedFile> List() const;
  // The objects behind those files.
  std::set<ObjectKey> Keys() const;
  // What the kernel has thrown out as a whole.
  void EmptyGraveyard() const;
  // How many bytes have to go until `run` percent of the file system are free, if less than `cull` percent are; else 0.
  uint64_t Shortage(uint64_t cull_percent, uint64_t run_percent) const;

  // Asks the kernel to remove a file.  Throws kIo when the cache is dead.
  CullResult Cull(const Device& device, const CachedFile& file) const;
  CullResult Cull(const Device& device, const ObjectKey& key) const;
  // Culls those of `files` that nobody uses, used longest ago first, until `bytes` are free; returns how many are.
  uint64_t Reclaim(const Device& device, std::vector<CachedFile> files, uint64_t bytes) const;
  // Whether a volume is in use: some object of it is mounted.
  bool IsInUse(const Device& device, const std::string& volume_key) const;

 private:
  std::string path_;
};

}  // namespace sluice::frontend::cachefiles
