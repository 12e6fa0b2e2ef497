// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_store.h"

#include <fcntl.h>  // for O_RDWR
#include <fmt/format.h>

#include <optional>

#include "base/check.h"
#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/file.h"

namespace sluice::cache {

using runtime::Engine;
using runtime::File;
using runtime::Task;

namespace {

Task<void> EnsureDirectory(Engine& engine, std::string parent, std::string name) {
  try {
    co_await MakeDirectory(engine, parent + "/" + name);
  } catch (const Error& e) {
    if (e.code() != Errc::kExists) throw;
    co_return;
  }
  co_await SyncDirectory(engine, parent);
}

// nullopt: there is no such file.
Task<std::optional<uint64_t>> SizeOf(Engine& engine, std::string path) {
  try {
    File file = co_await File::Open(engine, path, O_RDONLY);
    co_return co_await file.Size();
  } catch (const Error& e) {
    if (e.code() != Errc::kNotFound) throw;
  }
  co_return std::nullopt;
}

}  // namespace

BlobLease::BlobLease(BlobCache& cache, std::shared_ptr<backend::BlobSource> source) noexcept
    : cache_(&cache), source_(std::move(source)) {}
BlobLease::BlobLease(BlobLease&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)), source_(std::move(other.source_)) {}
BlobLease::~BlobLease() { SLUICE_CHECK(cache_ == nullptr, "a lease is given back"); }

BlobStore::BlobStore(Engine& engine, runtime::Offload& offload, std::string root, uint64_t seed,
                     const CacheLimits& limits)
    : shard_(engine, offload, limits), root_(std::move(root)), rng_(seed) {}

BlobStore::~BlobStore() { SLUICE_CHECK(open_.empty(), "all leases are given back"); }

std::string BlobStore::NameOf(const BlobLayout& layout) {
  return layout.id().hex() + "-" + layout.digest().Hex().substr(0, 16);
}

Task<BlobLease> BlobStore::Acquire(std::shared_ptr<const BlobLayout> layout,
                                   std::unique_ptr<backend::BlobSource> source) {
  const runtime::Permit alone = co_await opening_.Acquire(1);
  const std::string name = NameOf(*layout);
  auto found = open_.find(name);
  if (found == open_.end()) {
    auto cache = co_await Open(name, std::move(layout));
    found = open_.emplace(name, Entry{.cache = std::move(cache)}).first;
  }
  Entry& entry = found->second;
  std::shared_ptr<backend::BlobSource> shared = std::move(source);
  entry.cache->AddSource(shared);
  ++entry.leases;
  co_return BlobLease(*entry.cache, std::move(shared));
}

Task<void> BlobStore::Release(BlobLease lease) { co_await WithoutStop(ReleaseNow(std::move(lease))); }

Task<void> BlobStore::ReleaseNow(BlobLease lease) {
  const runtime::Permit alone = co_await opening_.Acquire(1);
  const std::string name = NameOf(lease->layout());
  Entry& entry = open_.at(name);
  entry.cache->RemoveSource(*lease.source_);
  lease.cache_ = nullptr;
  if (--entry.leases > 0) co_return;
  co_await entry.cache->Close();
  open_.erase(name);
}

Task<std::unique_ptr<BlobCache>> BlobStore::Open(std::string name, std::shared_ptr<const BlobLayout> layout) {
  Engine& engine = shard_.engine;
  const std::string blobs = root_ + "/blobs";
  const std::string directory = blobs + "/" + name;
  co_await EnsureDirectory(engine, root_, "blobs");
  co_await EnsureDirectory(engine, blobs, name);
  co_await PrepareData(directory, *layout);
  std::optional<MapFile::Loaded> loaded = co_await MapFile::Load(engine, directory + "/map", *layout);
  if (!loaded) {
    MapFile fresh = co_await MapFile::Make(engine, directory, *layout, rng_.Next());
    loaded.emplace(MapFile::Loaded{std::move(fresh), ChunkMap(layout->all().size())});
  }
  co_return std::make_unique<BlobCache>(shard_, std::move(layout), directory + "/data", std::move(loaded->file),
                                        std::move(loaded->map));
}

// When this ends the data file has its size, durably, and if it was not there before, there is no map that speaks of
// another one.  An existing file is never replaced: the kernel may be reading it through a mount that outlived us.
Task<void> BlobStore::PrepareData(std::string directory, const BlobLayout& layout) {
  Engine& engine = shard_.engine;
  const std::string path = directory + "/data";
  if (co_await SizeOf(engine, path) == layout.plain_size()) co_return;
  if (co_await SizeOf(engine, directory + "/map")) {
    co_await Unlink(engine, directory + "/map");
    co_await SyncDirectory(engine, directory);
  }
  File data = co_await File::Open(engine, path, O_RDWR | O_CREAT);
  co_await data.Truncate(layout.plain_size());
  co_await data.Sync();
  co_await SyncDirectory(engine, directory);
}

}  // namespace sluice::cache
