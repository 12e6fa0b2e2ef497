// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writing into an open object.  Owned by its shard.

#include <string>
#include <utility>

#include "cache/data_file.h"
#include "frontend/cachefiles/device.h"

namespace sluice::frontend::cachefiles {

class ObjectData final : public cache::DataFile {
 public:
  // A write that the kernel refuses with ENOBUFS is tried again, some two seconds long.
  static constexpr Duration kFirstPause = std::chrono::microseconds(200);
  static constexpr Duration kLongestPause = std::chrono::milliseconds(50);
  static constexpr uint32_t kMostRefusals = 48;

  // Engine and object outlive this.  `size`: of the object, in bytes.
  ObjectData(runtime::Engine& engine, ObjectFd& object, uint64_t size, std::string name)
      : engine_(engine), object_(object), end_(AlignUp(size, kBlock)), name_(std::move(name)) {}

  const std::string& name() const noexcept override { return name_; }
  // Throws kNoSpace when the kernel goes on refusing.
  runtime::Task<void> WriteAll(ConstBytes src, uint64_t offset) override;
  // The kernel syncs an object when it withdraws it; nobody relies on anything before.
  runtime::Task<void> SyncData() override { co_return; }

 private:
  static constexpr uint64_t kBlock = 4096;

  runtime::Engine& engine_;
  ObjectFd& object_;
  const uint64_t end_;
  const std::string name_;
};

}  // namespace sluice::frontend::cachefiles
