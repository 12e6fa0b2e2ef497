// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writing into an open object.  Owned by its shard.  Readers who wait for what a write has brought go on before its
// task does.

#include <string>
#include <utility>

#include "cache/data_file.h"
#include "frontend/cachefiles/cache_disk.h"
#include "frontend/cachefiles/device.h"
#include "frontend/cachefiles/waiting_reads.h"
#include "runtime/engine.h"
#include "runtime/offload.h"

namespace sluice::frontend::cachefiles {

class ObjectData final : public cache::DataFile {
 public:
  // A write that the kernel refuses with ENOBUFS is tried again, some two seconds long.
  static constexpr Duration kFirstPause = std::chrono::microseconds(200);
  static constexpr Duration kLongestPause = std::chrono::milliseconds(50);
  static constexpr uint32_t kMostRefusals = 48;

  // `size`: of the object, in bytes.  `disk`: is told how writes end.  `writing`: a write waits for the disk, whatever
  // it is asked; io_uring would start a thread for each that is under way.  All outlive this.
  ObjectData(runtime::Engine& engine, runtime::Offload& writing, CacheDisk& disk, const ObjectFd& object,
             WaitingReads& reads, uint64_t size, std::string name)
      : engine_(engine),
        writing_(writing),
        disk_(disk),
        object_(object),
        reads_(reads),
        end_(AlignUp(size, kBlock)),
        name_(std::move(name)) {}

  const std::string& name() const noexcept override { return name_; }
  // Throws kNoSpace when the kernel goes on refusing.
  runtime::Task<void> WriteAll(ConstBytes src, uint64_t offset) override;
  runtime::Offload* writers() const noexcept override { return &writing_; }
  bool TryWrite(ConstBytes src, uint64_t offset) noexcept override;
  // The kernel syncs an object when it withdraws it; nobody relies on anything before.
  runtime::Task<void> SyncData() override { co_return; }

 private:
  static constexpr uint64_t kBlock = 4096;
  int64_t Write(ConstBytes src, uint64_t offset) noexcept;

  runtime::Engine& engine_;
  runtime::Offload& writing_;
  CacheDisk& disk_;
  const ObjectFd& object_;
  WaitingReads& reads_;
  const uint64_t end_;
  const std::string name_;
};

}  // namespace sluice::frontend::cachefiles
