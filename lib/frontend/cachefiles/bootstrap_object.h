// SPDX-License-Identifier: Apache-2.0
#pragma once
// An open bootstrap: copied from the local file, all of it and at once, so that the kernel asks for next to none of it.
// Owned by the object's shard.

#include <memory>
#include <string>

#include "frontend/cachefiles/open_object.h"
#include "runtime/file.h"
#include "runtime/scope.h"
#include "runtime/semaphore.h"

namespace sluice::frontend::cachefiles {

class BootstrapObject final : public OpenObject {
 public:
  // `path`: a file of `size` bytes that does not change.
  BootstrapObject(ObjectShard& shard, std::unique_ptr<ObjectFd> fd, std::string path, uint64_t size);

  void Opened() override { CopyAhead(); }

 private:
  static constexpr uint64_t kStep = 256 * kKiB;

  runtime::Task<void> Fill(ByteRange range) override;
  runtime::Task<void> Finish() override;
  void CopyAhead();
  runtime::Task<void> CopyRest();
  runtime::Task<void> FindCopied();
  runtime::Task<void> Copy(ByteRange range);
  runtime::Task<void> OpenFile();

  const std::string path_;
  const uint64_t end_;  // whole blocks
  ObjectData data_;
  runtime::File file_;
  runtime::Semaphore opening_{1};
  uint64_t copied_ = 0;  // so much from the beginning is in place
  bool copying_ = false;
  runtime::Scope scope_;
};

}  // namespace sluice::frontend::cachefiles
