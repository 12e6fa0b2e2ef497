// SPDX-License-Identifier: Apache-2.0
#include "runtime/system_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>  // for FALLOC_FL_PUNCH_HOLE
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>  // for rename
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/fd.h"

namespace sluice::runtime {

namespace {

// Connections that may wait to be accepted.
constexpr int kListenBacklog = 64;

int64_t Result(int64_t returned) noexcept { return returned < 0 ? -errno : returned; }

int64_t ListDirectory(const Request& request) noexcept {
  struct Close {
    void operator()(DIR* directory) const noexcept { closedir(directory); }
  };
  const std::unique_ptr<DIR, Close> directory(opendir(request.path));
  if (!directory) return -errno;
  auto& names = *static_cast<std::vector<std::string>*>(request.buffer);
  try {
    for (;;) {
      errno = 0;
      const dirent* const entry = readdir(directory.get());
      if (entry == nullptr) return -errno;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      if (names.size() >= request.size) return -EOVERFLOW;
      names.emplace_back(entry->d_name);
    }
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
}

int64_t Size(int fd) noexcept {
  struct stat status;
  return fstat(fd, &status) < 0 ? -errno : status.st_size;
}

// A non-blocking unix socket that `attach` binds or connects to the path.
template <typename Attach>
int64_t MakeSocket(const char* path, Attach attach) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof(address.sun_path)) return -ENAMETOOLONG;
  std::strcpy(address.sun_path, path);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  if (attach(fd.get(), reinterpret_cast<const sockaddr*>(&address)) < 0) return -errno;
  return fd.Release();
}

}  // namespace

int64_t MakeSystemCall(const Request& request) noexcept {
  const int fd = request.fd;
  const auto offset = static_cast<off_t>(request.offset);
  switch (request.opcode) {
    case Opcode::kOpen: return Result(open(request.path, request.flags | O_CLOEXEC, request.mode));
    case Opcode::kRead: return Result(pread(fd, request.buffer, request.size, offset));
    case Opcode::kWrite: return Result(pwrite(fd, request.buffer, request.size, offset));
    case Opcode::kSyncData: return Result(fdatasync(fd));
    case Opcode::kSync: return Result(fsync(fd));
    case Opcode::kTruncate: return Result(ftruncate(fd, static_cast<off_t>(request.size)));
    case Opcode::kPunchHole:
      return Result(
          fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, static_cast<off_t>(request.size)));
    case Opcode::kRename: return Result(rename(request.path, request.new_path));
    case Opcode::kUnlink: return Result(unlink(request.path));
    case Opcode::kRemoveDirectory: return Result(rmdir(request.path));
    case Opcode::kMakeDirectory: return Result(mkdir(request.path, request.mode));
    case Opcode::kListDirectory: return ListDirectory(request);
    case Opcode::kClose: return Result(close(fd));
    case Opcode::kSize: return Size(fd);
    case Opcode::kListen:
      return MakeSocket(request.path, [](int made, const sockaddr* address) noexcept {
        return bind(made, address, sizeof(sockaddr_un)) < 0 ? -1 : listen(made, kListenBacklog);
      });
    case Opcode::kConnect:
      return MakeSocket(request.path, [](int made, const sockaddr* address) noexcept {
        return connect(made, address, sizeof(sockaddr_un));
      });
    case Opcode::kAccept: return Result(accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    case Opcode::kReceive: return Result(recv(fd, request.buffer, request.size, MSG_DONTWAIT));
    case Opcode::kSend: return Result(send(fd, request.buffer, request.size, MSG_DONTWAIT | MSG_NOSIGNAL));
    case Opcode::kShutdownSend: return Result(shutdown(fd, SHUT_WR));
    case Opcode::kWaitReadable:
    case Opcode::kWaitWritable: break;
  }
  SLUICE_CHECK(false, "a request that is no system call");
  return -EINVAL;
}

}  // namespace sluice::runtime
