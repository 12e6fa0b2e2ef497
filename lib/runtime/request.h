// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request to the operating system as a value: the vocabulary that every engine understands.

#include <sys/types.h>  // for mode_t

#include <cstdint>
#include <string_view>

namespace sluice::runtime {

// Results are those of the system call: >= 0, or a negative errno value.
enum class Opcode : uint8_t {
  // May take long: given to an engine as an Op.
  kOpen,             // path, flags (O_CLOEXEC is added), mode -> descriptor
  kRead,             // fd, buffer, size, offset -> bytes, 0 at the end of the file
  kWrite,            // fd, buffer (only read), size, offset -> bytes
  kSyncData,         // fd: fdatasync
  kSync,             // fd: fsync; of a directory: makes its names durable
  kTruncate,         // fd, size
  kPunchHole,        // fd, offset, size: the range reads as zeros, the size of the file stays
  kRename,           // path -> new_path, replacing it
  kUnlink,           // path of a file
  kRemoveDirectory,  // path of an empty directory
  kMakeDirectory,    // path, mode
  kListDirectory,  // path, buffer: std::vector<std::string>*, receives the names without "." and ".."; size: most names
  kWaitReadable,   // fd -> ends when a read would not block, or has an error to tell
  kWaitWritable,   // fd

  // Never block: made at once by Engine::Call().
  kClose,         // fd
  kSize,          // fd -> bytes
  kListen,        // path of a unix socket -> descriptor
  kConnect,       // path of a unix socket -> descriptor
  kAccept,        // fd -> descriptor, or -EAGAIN
  kReceive,       // fd, buffer, size -> bytes, 0 at the end, or -EAGAIN
  kSend,          // fd, buffer (only read), size -> bytes, or -EAGAIN
  kShutdownSend,  // fd: the peer sees the end
};

std::string_view Name(Opcode opcode) noexcept;

// Does not own what it points to: buffers and paths stay until the request has completed.
struct Request {
  Opcode opcode;
  int fd = -1;
  void* buffer = nullptr;
  uint64_t size = 0;    // bytes; at most kMaxTransfer for reads and writes
  uint64_t offset = 0;  // bytes from the start of the file
  const char* path = nullptr;
  const char* new_path = nullptr;
  int flags = 0;
  mode_t mode = 0;
};

// The most that one read or write carries; Linux cuts at 2 GiB - 4 KiB (MAX_RW_COUNT).
constexpr uint64_t kMaxTransfer = uint64_t{1} << 30;

}  // namespace sluice::runtime
