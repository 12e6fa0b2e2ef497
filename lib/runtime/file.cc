// SPDX-License-Identifier: Apache-2.0
#include "runtime/file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "runtime/op.h"

namespace sluice::runtime {

namespace {

// By a signal, or because something that the kernel had begun was cancelled.  To be asked again: that ends at once when
// a stop was requested.
bool IsInterrupted(int64_t result) noexcept { return result == -EINTR; }

Task<void> ChangeName(Engine& engine, Request request, std::string_view verb) {
  const int64_t result = co_await Op(engine, request);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "{} '{}'", verb, request.path);
}

}  // namespace

Task<File> File::Open(Engine& engine, std::string path, int flags, mode_t mode) {
  const Request request{.opcode = Opcode::kOpen, .path = path.c_str(), .flags = flags, .mode = mode};
  int64_t result;
  do {
    result = co_await Op(engine, request);
  } while (IsInterrupted(result));
  if (result < 0) ThrowErrno(static_cast<int>(-result), "open '{}'", path);
  co_return File(Handle(engine, static_cast<int>(result)), std::move(path));
}

File File::Adopt(Engine& engine, UniqueFd fd, std::string name) {
  SLUICE_CHECK(!engine.simulated(), "the simulator has no descriptors of the real kernel");
  return File(Handle(engine, fd.Release()), std::move(name));
}

Task<size_t> File::ReadAt(MutableBytes dst, uint64_t offset) {
  size_t done = 0;
  while (done < dst.size()) {
    const Request request{.opcode = Opcode::kRead,
                          .fd = fd(),
                          .buffer = dst.data() + done,
                          .size = std::min<uint64_t>(dst.size() - done, kMaxTransfer),
                          .offset = offset + done};
    const int64_t result = co_await Op(handle_.engine(), request);
    if (result == 0) break;
    if (result > 0) {
      done += static_cast<size_t>(result);
    } else if (!IsInterrupted(result)) {
      ThrowErrno(static_cast<int>(-result), "read {} bytes at {} of '{}'", dst.size(), offset, name_);
    }
  }
  co_return done;
}

Task<void> File::ReadExactly(MutableBytes dst, uint64_t offset) {
  const size_t got = co_await ReadAt(dst, offset);
  if (got < dst.size()) {
    Throw(Errc::kCorrupt, "'{}' ends at {}, {} bytes at {} are needed", name_, offset + got, dst.size(), offset);
  }
}

Task<void> File::WriteAll(ConstBytes src, uint64_t offset) {
  size_t done = 0;
  while (done < src.size()) {
    const Request request{.opcode = Opcode::kWrite,
                          .fd = fd(),
                          .buffer = const_cast<std::byte*>(src.data() + done),
                          .size = std::min<uint64_t>(src.size() - done, kMaxTransfer),
                          .offset = offset + done};
    const int64_t result = co_await Op(handle_.engine(), request);
    if (result > 0) {
      done += static_cast<size_t>(result);
    } else if (!IsInterrupted(result)) {
      // A write of nothing without an error is one too: EIO.
      ThrowErrno(result == 0 ? EIO : static_cast<int>(-result), "write {} bytes at {} of '{}'", src.size(), offset,
                 name_);
    }
  }
}

Task<void> File::SyncData() { return Control({.opcode = Opcode::kSyncData, .fd = fd()}, "sync"); }

Task<void> File::Sync() { return Control({.opcode = Opcode::kSync, .fd = fd()}, "sync"); }

Task<void> File::Truncate(uint64_t size) {
  return Control({.opcode = Opcode::kTruncate, .fd = fd(), .size = size}, "set the size of");
}

Task<void> File::PunchHole(ByteRange range) {
  return Control({.opcode = Opcode::kPunchHole, .fd = fd(), .size = range.length, .offset = range.offset},
                 "punch a hole into");
}

Task<void> File::Control(Request request, std::string_view verb) {
  int64_t result;
  do {
    result = co_await Op(handle_.engine(), request);
  } while (IsInterrupted(result));
  if (result < 0) ThrowErrno(static_cast<int>(-result), "{} '{}'", verb, name_);
}

Task<uint64_t> File::Size() {
  const Request request{.opcode = Opcode::kSize, .fd = fd()};
  const int64_t result = handle_.engine().Call(request);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "size of '{}'", name_);
  co_return static_cast<uint64_t>(result);
}

Task<void> Rename(Engine& engine, std::string from, std::string to) {
  const Request request{.opcode = Opcode::kRename, .path = from.c_str(), .new_path = to.c_str()};
  const int64_t result = co_await Op(engine, request);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "rename '{}' to '{}'", from, to);
}

Task<void> Unlink(Engine& engine, std::string path) {
  const Request request{.opcode = Opcode::kUnlink, .path = path.c_str()};
  co_await ChangeName(engine, request, "remove");
}

Task<void> MakeDirectory(Engine& engine, std::string path, mode_t mode) {
  const Request request{.opcode = Opcode::kMakeDirectory, .path = path.c_str(), .mode = mode};
  co_await ChangeName(engine, request, "make directory");
}

Task<void> RemoveDirectory(Engine& engine, std::string path) {
  const Request request{.opcode = Opcode::kRemoveDirectory, .path = path.c_str()};
  co_await ChangeName(engine, request, "remove directory");
}

Task<void> SyncDirectory(Engine& engine, std::string path) {
  File directory = co_await File::Open(engine, std::move(path), O_RDONLY | O_DIRECTORY);
  co_await directory.Sync();
}

Task<std::vector<std::string>> ListDirectory(Engine& engine, std::string path, uint64_t most) {
  std::vector<std::string> names;
  const Request request{.opcode = Opcode::kListDirectory, .buffer = &names, .size = most, .path = path.c_str()};
  const int64_t result = co_await Op(engine, request);
  if (result == -EOVERFLOW) Throw(Errc::kLimit, "directory '{}' holds more than {} names", path, most);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "list '{}'", path);
  std::sort(names.begin(), names.end());
  co_return names;
}

Task<void> WaitReadable(Engine& engine, int fd) {
  const Request request{.opcode = Opcode::kWaitReadable, .fd = fd};
  const int64_t result = co_await Op(engine, request);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "wait until descriptor {} is readable", fd);
}

Task<void> WaitWritable(Engine& engine, int fd) {
  const Request request{.opcode = Opcode::kWaitWritable, .fd = fd};
  const int64_t result = co_await Op(engine, request);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "wait until descriptor {} is writable", fd);
}

}  // namespace sluice::runtime
