// SPDX-License-Identifier: Apache-2.0
#pragma once
// /dev/cachefiles of the running kernel.

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "frontend/cachefiles/device.h"

namespace sluice::frontend::cachefiles {

struct CacheSettings {
  std::string directory;  // absolute path, on a file system with extended attributes, O_DIRECT and SEEK_HOLE
  std::string tag = "sluice";
  // Percent of free blocks and files.  stop < cull < run < 100.
  uint64_t run = 7;
  uint64_t cull = 5;
  uint64_t stop = 1;

  bool operator==(const CacheSettings&) const = default;
};

// Opens the device and makes it serve the cache in settings.directory, which is made.  For somebody's device that is
// just being closed it waits a few seconds.  Blocks.  Throws kUnsupported, kPermission, kBusy, … saying which lack or
// whose fault.
UniqueFd OpenDevice(const CacheSettings& settings);

// Asks the kernel to tell all unanswered requests again: those that a previous process received, too.  Before the first
// Read() of this one.  False: this kernel cannot, and whoever waits for the previous process waits until the device is
// closed.
bool RestoreRequests(const UniqueFd& device);

// Whether the kernel has given up the cache (an I/O error): nothing that it does not have can be read any more.
bool IsDead(const Device& device) noexcept;

// `fd` is bound.  Owned by the shard of `engine`, which outlives the device and its objects.
std::unique_ptr<Device> MakeKernelDevice(runtime::Engine& engine, UniqueFd fd);

}  // namespace sluice::frontend::cachefiles
