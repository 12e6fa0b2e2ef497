// SPDX-License-Identifier: Apache-2.0
#include "frontend/erofs_mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace sluice::frontend {
namespace {

constexpr size_t kMaxStringBytes = 255;  // fsconfig(2), FSCONFIG_SET_STRING

// What the kernel noted about the mount that is being built, lines like "e erofs: …", as the end of a message.
std::string KernelMessages(const UniqueFd& context) {
  std::string text;
  std::array<char, 1024> line;
  for (;;) {
    const ssize_t count = ::read(context.get(), line.data(), line.size());
    if (count <= 0) return text.empty() ? text : text + ")";
    std::string_view words(line.data(), static_cast<size_t>(count));
    if (words.size() > 2 && words[1] == ' ') words.remove_prefix(2);
    while (!words.empty() && words.back() == '\n') words.remove_suffix(1);
    text.append(text.empty() ? " (kernel: " : ", ").append(words);
  }
}

// Not mount(2): its options end at one page, which some thirty blobs fill; and not mount(8), which makes a loop device
// whose reads raise no events.
UniqueFd BeginMount() {
  UniqueFd context(::fsopen("erofs", FSOPEN_CLOEXEC));
  if (!context) {
    if (errno == ENODEV) Throw(Errc::kUnsupported, "this kernel has no EROFS (CONFIG_EROFS_FS)");
    ThrowErrno(errno, "cannot begin an EROFS mount");
  }
  if (::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) != 0) {
    ThrowErrno(errno, "cannot make an EROFS mount read-only");
  }
  return context;
}

void SetString(const UniqueFd& context, const char* key, const std::string& value) {
  if (value.size() > kMaxStringBytes) {
    Throw(Errc::kLimit, "{} '{}' has {} bytes, the kernel takes at most {} for a mount", key, value, value.size(),
          kMaxStringBytes);
  }
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) != 0) {
    ThrowErrno(errno, "cannot set {} '{}' of an EROFS mount", key, value);
  }
}

void Attach(const UniqueFd& context, const std::string& what, const std::string& mountpoint) {
  UniqueFd detached(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV));
  if (!detached) ThrowErrno(errno, "cannot mount '{}'", what);
  if (::move_mount(detached.get(), "", AT_FDCWD, mountpoint.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    ThrowErrno(errno, "cannot mount at '{}'", mountpoint);
  }
}

[[noreturn]] void ThrowCreateError(int error, const ErofsMount& mount, const UniqueFd& context) {
  const std::string said = KernelMessages(context);
  switch (error) {
    case ENOTBLK:
      Throw(Errc::kUnsupported,
            "cannot mount '{}': file-backed EROFS needs Linux 6.12 or later with CONFIG_EROFS_FS_BACKED_BY_FILE, and "
            "files that are not on overlayfs or another EROFS{}",
            mount.bootstrap, said);
    case EINVAL:
    case EUCLEAN:  // EFSCORRUPTED
      Throw(Errc::kCorrupt, "the kernel refuses the bootstrap '{}' with {} devices{}", mount.bootstrap,
            mount.devices.size(), said);
    default: ThrowErrno(error, "cannot mount '{}'{}", mount.bootstrap, said);
  }
}

}  // namespace

void MountErofs(const ErofsMount& mount) {
  const UniqueFd context = BeginMount();
  SetString(context, "source", mount.bootstrap);
  for (const std::string& device : mount.devices) SetString(context, "device", device);
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    ThrowCreateError(errno, mount, context);
  }
  Attach(context, mount.bootstrap, mount.mountpoint);
}

void MountErofs(const FsidMount& mount) {
  const UniqueFd context = BeginMount();
  SetString(context, "source", "none");
  SetString(context, "fsid", mount.fsid);
  if (!mount.domain.empty()) SetString(context, "domain_id", mount.domain);
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    const int error = errno;
    ThrowErrno(error, "cannot mount fsid '{}'{}", mount.fsid, KernelMessages(context));
  }
  Attach(context, mount.fsid, mount.mountpoint);
}

bool KnowsDomains() noexcept {
  const UniqueFd context(::fsopen("erofs", FSOPEN_CLOEXEC));
  return context && ::fsconfig(context.get(), FSCONFIG_SET_STRING, "domain_id", "any", 0) == 0;
}

void Unmount(const std::string& mountpoint) {
  if (::umount2(mountpoint.c_str(), UMOUNT_NOFOLLOW) == 0) return;
  switch (errno) {
    case EBUSY:
      Throw(Errc::kBusy,
            "'{}' is in use: end the processes that have files or their working directory there (fuser -vm {})",
            mountpoint, mountpoint);
    case EINVAL:
    case ENOENT: Throw(Errc::kNotFound, "nothing is mounted at '{}'", mountpoint);
    default: ThrowErrno(errno, "cannot unmount '{}'", mountpoint);
  }
}

bool IsOpenSomewhere(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) ThrowErrno(errno, "cannot open '{}'", path);
  // A write lease is granted only to the one who has the only open descriptor (fs/locks.c, check_conflicting_open).
  if (::fcntl(file.get(), F_SETLEASE, F_WRLCK) == 0) {
    ::fcntl(file.get(), F_SETLEASE, F_UNLCK);
    return false;
  }
  if (errno == EAGAIN || errno == EBUSY) return true;
  ThrowErrno(errno, "cannot find out who uses '{}'", path);
}

}  // namespace sluice::frontend
