// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the verified bytes of a blob go, as a door gives it to the cache.  Owned by the blob's shard.

#include <string>
#include <utility>

#include "base/bytes.h"
#include "runtime/file.h"
#include "runtime/offload.h"
#include "runtime/task.h"

namespace sluice::cache {

class DataFile {
 public:
  virtual ~DataFile() = default;

  // For messages.
  virtual const std::string& name() const noexcept = 0;
  // `offset` and the size of `src` are whole blocks, and `src` begins on a page.  It is read until the task completes,
  // also after a stop request.  After an error any part may have been written.  May be called many times at once.
  virtual runtime::Task<void> WriteAll(ConstBytes src, uint64_t offset) = 0;
  // Where writing means waiting for the disk: the threads that do it.  Null: WriteAll() needs none.
  virtual runtime::Offload* writers() const noexcept { return nullptr; }
  // WriteAll() on one of these threads.  False: not all was written, and WriteAll() will say why.
  virtual bool TryWrite(ConstBytes, uint64_t) noexcept { return false; }
  // What was written before is durable.  Only for caches with a map file.
  virtual runtime::Task<void> SyncData() = 0;
};

// A file of ours.
class PlainDataFile final : public DataFile {
 public:
  explicit PlainDataFile(runtime::File file) noexcept : file_(std::move(file)) {}
  const std::string& name() const noexcept override { return file_.name(); }
  runtime::Task<void> WriteAll(ConstBytes src, uint64_t offset) override { return file_.WriteAll(src, offset); }
  runtime::Task<void> SyncData() override { return file_.SyncData(); }

 private:
  runtime::File file_;
};

}  // namespace sluice::cache
