// SPDX-License-Identifier: Apache-2.0
#pragma once
// An open blob.  What of it is there, the kernel's file itself tells: its extents are looked at when the first reader
// asks.  From then on the cache knows.  Owned by the object's shard.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "cache/blob_cache.h"
#include "frontend/cachefiles/message.h"
#include "frontend/cachefiles/open_object.h"
#include "runtime/semaphore.h"

namespace sluice::frontend::cachefiles {

// The chunks that are in the object as a whole.  Waits for the file system.  Throws kIo.
cache::ChunkSet FindPresent(const ObjectFd& object, const cache::BlobLayout& layout);

class BlobObject final : public OpenObject {
 public:
  BlobObject(ObjectShard& shard, std::unique_ptr<ObjectFd> fd, ObjectKey key,
             std::shared_ptr<const cache::BlobLayout> layout);
  ~BlobObject() override;

  // `owner`: whose source it is; one each.
  void AddSource(const std::string& owner, std::shared_ptr<backend::BlobSource> source);
  // A source that is not there is no error.
  void RemoveSource(const std::string& owner);

  const ObjectKey& key() const noexcept { return key_; }
  const cache::BlobLayout& layout() const noexcept { return *layout_; }
  // Null: nobody has read yet.
  const cache::BlobCache* cache() const noexcept { return cache_ ? &*cache_ : nullptr; }
  uint64_t sources() const noexcept { return sources_.size(); }

 private:
  runtime::Task<void> Fill(ByteRange range) override;
  runtime::Task<void> Finish() override;
  runtime::Task<void> Prepare();

  const ObjectKey key_;
  const std::shared_ptr<const cache::BlobLayout> layout_;
  std::map<std::string, std::shared_ptr<backend::BlobSource>> sources_;
  std::optional<cache::BlobCache> cache_;
  runtime::Semaphore preparing_{1};
};

}  // namespace sluice::frontend::cachefiles
