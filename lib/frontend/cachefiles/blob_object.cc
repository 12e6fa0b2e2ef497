// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/blob_object.h"

#include <unistd.h>  // for SEEK_DATA

#include <cerrno>

#include "base/error.h"

namespace sluice::frontend::cachefiles {
namespace {

// -ENXIO: nothing behind `offset`.
int64_t SeekOrThrow(const ObjectFd& object, const cache::BlobLayout& layout, uint64_t offset, int whence) {
  const int64_t found = object.Seek(offset, whence);
  if (found < 0 && found != -ENXIO) {
    ThrowErrno(static_cast<int>(-found), "cannot find out what is there of blob '{}' from {}", layout.id().hex(),
               offset);
  }
  return found;
}

}  // namespace

cache::ChunkSet FindPresent(const ObjectFd& object, const cache::BlobLayout& layout) {
  cache::ChunkSet present(layout.all().size());
  for (uint64_t offset = 0; offset < layout.plain_size();) {
    const int64_t data = SeekOrThrow(object, layout, offset, SEEK_DATA);
    if (data < 0) break;
    const int64_t hole = SeekOrThrow(object, layout, static_cast<uint64_t>(data), SEEK_HOLE);
    if (hole <= data || static_cast<uint64_t>(data) < offset) {
      Throw(Errc::kIo, "blob '{}': data at {} end at {}", layout.id().hex(), data, hole);
    }
    const ByteRange extent{static_cast<uint64_t>(data), static_cast<uint64_t>(hole - data)};
    const cache::ChunkSpan touched = layout.Covering(extent);
    for (uint32_t position = touched.first; position < touched.end; ++position) {
      const cache::LayoutChunk& chunk = layout.chunk(position);
      if (chunk.plain_offset >= extent.offset && chunk.block_end() <= extent.end()) present.Add(position);
    }
    offset = extent.end();
  }
  return present;
}

BlobObject::BlobObject(ObjectShard& shard, std::unique_ptr<ObjectFd> fd, ObjectKey key,
                       std::shared_ptr<const cache::BlobLayout> layout)
    : OpenObject(shard, std::move(fd), layout->plain_size(), "blob " + layout->id().hex()),
      key_(std::move(key)),
      layout_(std::move(layout)) {
  shard.blobs.insert(this);
}

BlobObject::~BlobObject() { shard().blobs.erase(this); }

void BlobObject::AddSource(const std::string& owner, std::shared_ptr<backend::BlobSource> source) {
  const auto added = sources_.emplace(owner, std::move(source));
  if (added.second && cache_) cache_->AddSource(added.first->second);
}

void BlobObject::RemoveSource(const std::string& owner) {
  const auto found = sources_.find(owner);
  if (found == sources_.end()) return;
  if (cache_) cache_->RemoveSource(*found->second);
  sources_.erase(found);
}

runtime::Task<void> BlobObject::Prepare() {
  const runtime::Permit alone = co_await preparing_.Acquire(1);
  if (cache_) co_return;
  auto look = [&object = fd(), &layout = *layout_] { return FindPresent(object, layout); };
  cache::ChunkSet present = co_await shard().writing.Run(shard().engine, std::move(look));
  cache_.emplace(shard().cache, layout_, name(), std::nullopt,
                 cache::ChunkMap(layout_->all().size(), std::move(present)));
  cache_->AttachData(std::make_unique<ObjectData>(MakeData()));
  for (const auto& [owner, source] : sources_) cache_->AddSource(source);
}

runtime::Task<void> BlobObject::Fill(ByteRange range) {
  if (!cache_) co_await Prepare();
  if (cache_->TryHit(range)) {
    // Mostly it came after the kernel had looked.  Should the file have lost it, the kernel is right.
    if (IsThere(range)) {
      ++shard().stats.hits;
      co_return;
    }
    cache_->Forget(range);
  }
  ++shard().stats.misses;
  co_await cache_->Ensure(range);
}

runtime::Task<void> BlobObject::Finish() {
  if (!cache_) co_return;
  co_await cache_->Close();
  const cache::BlobStats stats = cache_->stats();
  shard().stats.fetched_stored_bytes += stats.fetched_stored_bytes;
  shard().stats.fetched_plain_bytes += stats.fetched_plain_bytes;
  cache_.reset();
}

}  // namespace sluice::frontend::cachefiles
