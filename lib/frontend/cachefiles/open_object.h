// SPDX-License-Identifier: Apache-2.0
#pragma once
// An object between its OPEN and its CLOSE message: answers the READs.  Owned and used by one shard.

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "base/range.h"
#include "cache/cache_limits.h"
#include "cache/cache_shard.h"
#include "frontend/cachefiles/cache_disk.h"
#include "frontend/cachefiles/device.h"
#include "frontend/cachefiles/object_data.h"
#include "frontend/cachefiles/waiting_reads.h"
#include "frontend/error_log.h"
#include "runtime/buffer_pool.h"
#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/offload.h"
#include "runtime/stop.h"

namespace sluice::frontend::cachefiles {

// Since the shard was made.
struct ObjectStats {
  uint64_t reads = 0;                 // READ messages
  uint64_t hits = 0;                  // of these, for bytes that had come meanwhile
  uint64_t misses = 0;                // had to wait for a fetch
  uint64_t errors = 0;                // completed without their bytes: EIO
  uint64_t fetched_stored_bytes = 0;  // of blobs that are closed
  uint64_t fetched_plain_bytes = 0;   // of blobs that are closed
};

class BlobObject;

// `limits` for a cache that is the kernel's: it asks for what is missing only, and each question stops a reader, so
// that a reader in order is kept ahead from the start, in runs that another reader may wait for.  One shard
// serves, with the memory of two.
cache::CacheLimits ForTheKernel(cache::CacheLimits limits);

// What the open objects of one shard share.
struct ObjectShard {
  static constexpr uint64_t kBootstrapBuffers = 1 * kMiB;

  // `directory`: of the kernel's cache.  `computing`: for decompression.  `writing`: for filling objects.  All outlive
  // this.
  ObjectShard(runtime::Engine& the_engine, std::string directory, runtime::Offload& computing,
              runtime::Offload& the_writing, Log& log, const cache::CacheLimits& limits = {})
      : engine(the_engine),
        disk(std::move(directory)),
        writing(the_writing),
        cache(the_engine, computing, ForTheKernel(limits)),
        errors(the_engine, log) {}

  runtime::Engine& engine;
  CacheDisk disk;
  runtime::Offload& writing;
  cache::CacheShard cache;
  runtime::BufferPool bootstrap_buffers{kBootstrapBuffers};
  ErrorLog errors;
  ObjectStats stats;
  std::set<const BlobObject*> blobs;  // that are open
};

class OpenObject {
 public:
  // `shard` outlives the object.  `size`: in bytes.  `name`: for messages.
  OpenObject(ObjectShard& shard, std::unique_ptr<ObjectFd> fd, uint64_t size, std::string name);
  // After Close().
  virtual ~OpenObject();
  OpenObject(const OpenObject&) = delete;
  OpenObject& operator=(const OpenObject&) = delete;

  uint64_t size() const noexcept { return size_; }

  // The kernel knows the size: it is going to open the object's file, or has done so.
  virtual void Opened() {}
  // Puts the bytes of `range` in place, if it can, and lets the reader behind READ message `id` go on in any case.
  runtime::Task<void> Answer(uint32_t id, ByteRange range);
  // Lets a reader go on whose message makes no sense: it gets EIO.  Any thread.
  void Refuse(uint32_t id) const noexcept { fd_->CompleteRead(id); }
  // Ends answers and fetches, closes the descriptor.  The last call.
  runtime::Task<void> Close();

 protected:
  // The bytes of `range`, whole blocks inside the object, are in place; throws why not.
  virtual runtime::Task<void> Fill(ByteRange range) = 0;
  // No Fill() is running, and none will.
  virtual runtime::Task<void> Finish() = 0;

  ObjectShard& shard() const noexcept { return shard_; }
  const std::string& name() const noexcept { return name_; }
  const ObjectFd& fd() const noexcept { return *fd_; }
  // Writes what completes waiting READs.
  ObjectData MakeData() { return {shard_.engine, shard_.writing, shard_.disk, *fd_, reads_, size_, name_}; }
  // Whether the kernel has all bytes of `range`.
  bool IsThere(ByteRange range) const noexcept;

 private:
  ByteRange Clamp(ByteRange range) const noexcept;
  void ReportIncomplete(int64_t error);

  ObjectShard& shard_;
  std::unique_ptr<ObjectFd> fd_;
  const uint64_t size_;
  const std::string name_;
  WaitingReads reads_;
  runtime::StopSource stop_;
  const runtime::Context context_;  // of everything that the object does for readers
  uint32_t answers_ = 0;            // that run
  runtime::Event unused_;           // set while there are none
};

}  // namespace sluice::frontend::cachefiles
