// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the kernel's side of the door offers: /dev/cachefiles and the anonymous descriptors of its objects.
// Implementations: the kernel (kernel_device.h), a model of it (tests).  Results are those of the system calls: >= 0,
// or a negative errno.

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "runtime/task.h"

namespace sluice::frontend::cachefiles {

// An open object.  Closes its descriptor at destruction.  Its calls are for any thread.
class ObjectFd {
 public:
  virtual ~ObjectFd() = default;

  // pwrite(2); waits for the disk.  Offset, size and address of `src` are multiples of 4096 (O_DIRECT beneath).
  // ENOBUFS: the kernel has not finished opening the object, or less than the stop limit is free, or the object is
  // being withdrawn.  Old kernels return more than src.size().
  virtual int64_t Write(ConstBytes src, uint64_t offset) const noexcept = 0;
  // lseek(2) with SEEK_DATA or SEEK_HOLE: what is there.  Waits for the file system.
  virtual int64_t Seek(uint64_t offset, int whence) const noexcept = 0;
  // Lets the reader behind READ message `id` of this object go on.  If its bytes are not there it gets EIO.
  virtual int64_t CompleteRead(uint32_t id) const noexcept = 0;
};

// Owned by one shard.
class Device {
 public:
  virtual ~Device() = default;

  // Readable, for epoll(7), when Read() may have something.  -1: there is none, as in the simulator.
  virtual int descriptor() const noexcept = 0;
  // Ends when Read() may have something; for devices without a descriptor.
  virtual runtime::Task<void> WaitReadable() = 0;
  // The next message; 0 when there is none.
  virtual int64_t Read(MutableBytes message) noexcept = 0;
  // Any thread.  EIO: the cache is dead.  EOPNOTSUPP: a command that this kernel does not know.
  virtual int64_t Command(std::string_view command) const noexcept = 0;
  // Takes the descriptor that came with an OPEN message.
  virtual std::unique_ptr<ObjectFd> TakeObject(int fd) = 0;
};

}  // namespace sluice::frontend::cachefiles
