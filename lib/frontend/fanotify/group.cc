// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/group.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "frontend/fanotify/event.h"

namespace sluice::frontend::fanotify {
namespace {

constexpr unsigned kReportFdError = 0x2000;  // FAN_REPORT_FD_ERROR, Linux 6.13; younger than the headers of Debian 12

}  // namespace

Group Group::Create() {
  // The event's descriptor is opened for writing: it becomes the data file of the blob, because it raises no events.
  UniqueFd fd(::fanotify_init(
      FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | kReportFdError,
      O_RDWR | O_LARGEFILE | O_CLOEXEC));
  if (fd) return Group(std::move(fd));
  switch (errno) {
    case EPERM: Throw(Errc::kPermission, "fanotify needs CAP_SYS_ADMIN in the initial user namespace");
    case EINVAL:
    case ENOSYS:
      Throw(Errc::kUnsupported,
            "this kernel has no fanotify pre-content events (Linux 6.14 or later with "
            "CONFIG_FANOTIFY_ACCESS_PERMISSIONS)");
    default: ThrowErrno(errno, "cannot create a fanotify group");
  }
}

void Group::Mark(const std::string& path) const {
  if (::fanotify_mark(fd_.get(), FAN_MARK_ADD, kPreAccess, AT_FDCWD, path.c_str()) == 0) return;
  if (errno == EINVAL || errno == EOPNOTSUPP) {
    Throw(Errc::kUnsupported,
          "no pre-content events for '{}': they need Linux 6.14 or later and a file on ext4, xfs or btrfs", path);
  }
  ThrowErrno(errno, "cannot mark '{}'", path);
}

void Group::Unmark(const std::string& path) const {
  if (::fanotify_mark(fd_.get(), FAN_MARK_REMOVE, kPreAccess, AT_FDCWD, path.c_str()) == 0 || errno == ENOENT) return;
  ThrowErrno(errno, "cannot remove the mark of '{}'", path);
}

uint64_t Group::Read(MutableBytes message) const {
  for (;;) {
    const ssize_t count = ::read(fd_.get(), message.data(), message.size());
    if (count >= 0) return static_cast<uint64_t>(count);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) ThrowErrno(errno, "cannot read from the fanotify group");
  }
}

bool Group::Respond(int event_fd, uint32_t response) const {
  const fanotify_response answer{.fd = event_fd, .response = response};
  for (;;) {
    if (::write(fd_.get(), &answer, sizeof(answer)) == static_cast<ssize_t>(sizeof(answer))) return true;
    if (errno == ENOENT) return false;
    if (errno != EINTR) ThrowErrno(errno, "cannot answer event {} with {:#x}", event_fd, response);
  }
}

}  // namespace sluice::frontend::fanotify
