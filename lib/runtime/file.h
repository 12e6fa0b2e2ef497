// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files and directories as tasks.  Every call goes through the engine and so works on the simulator's disk too.
// Errors name the file.  A stop request ends a call with kStopped as soon as the kernel lets go of its buffer.

#include <sys/types.h>  // for mode_t

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/range.h"
#include "runtime/engine.h"
#include "runtime/handle.h"
#include "runtime/task.h"

namespace sluice::runtime {

// An open file.  Belongs to the shard of its engine.  Not moved or destroyed while a call is running; several calls may
// run at once.
class File {
 public:
  File() noexcept = default;
  // open(2): O_CLOEXEC is added to `flags`, `mode` counts for a file that is made.
  static Task<File> Open(Engine& engine, std::string path, int flags, mode_t mode = 0600);
  // Takes a descriptor of the real kernel; `name` is for messages.  Not on the simulator.
  static File Adopt(Engine& engine, UniqueFd fd, std::string name);

  // False for one that was never opened, was closed, or was moved away.
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  int fd() const noexcept { return handle_.fd(); }
  const std::string& name() const noexcept { return name_; }

  // Reads dst.size() bytes at `offset`; fewer only when the file ends before.  `dst` is written until the task
  // completes, also after a stop request.
  Task<size_t> ReadAt(MutableBytes dst, uint64_t offset);
  // The same, but throws kCorrupt when the file ends before.
  Task<void> ReadExactly(MutableBytes dst, uint64_t offset);
  // `src` is read until the task completes, also after a stop request.  After an error any part may have been written.
  Task<void> WriteAll(ConstBytes src, uint64_t offset);
  // fdatasync(2): what was written before is durable, and so is the size.
  Task<void> SyncData();
  // fsync(2).  The file's name in its directory needs SyncDirectory().
  Task<void> Sync();
  Task<void> Truncate(uint64_t size);
  // `range` reads as zeros afterwards and uses no space; the size stays.
  Task<void> PunchHole(ByteRange range);
  Task<uint64_t> Size();
  // Closes now instead of at destruction.
  void Close() noexcept { handle_.Close(); }

 private:
  // A call without data; `verb` goes before the name in messages and is a literal.
  Task<void> Control(Request request, std::string_view verb);
  File(Handle handle, std::string name) noexcept : handle_(std::move(handle)), name_(std::move(name)) {}

  Handle handle_;
  std::string name_;
};

// rename(2): replaces `to` in one step.  Durable after SyncDirectory() of both directories.
Task<void> Rename(Engine& engine, std::string from, std::string to);
// kNotFound when there is no such file.
Task<void> Unlink(Engine& engine, std::string path);
// kExists when there is one.
Task<void> MakeDirectory(Engine& engine, std::string path, mode_t mode = 0700);
// Must be empty.
Task<void> RemoveDirectory(Engine& engine, std::string path);
// Makes the names in the directory durable: files made, renamed, removed.
Task<void> SyncDirectory(Engine& engine, std::string path);
// The names in a directory without "." and "..", sorted.  kLimit when there are more than `most`.
Task<std::vector<std::string>> ListDirectory(Engine& engine, std::string path, uint64_t most);

// Ends when reading from (writing to) `fd` would not block.  Only one task waits per descriptor and direction.
Task<void> WaitReadable(Engine& engine, int fd);
Task<void> WaitWritable(Engine& engine, int fd);

}  // namespace sluice::runtime
