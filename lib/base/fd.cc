// SPDX-License-Identifier: Apache-2.0
#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace sluice {

void UniqueFd::Reset(int fd) noexcept {
  // close(2) releases the number even when it reports an error; nothing is left to retry.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

UniqueFd Duplicate(const UniqueFd& fd) {
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) ThrowErrno(errno, "cannot duplicate descriptor {}", fd.get());
  return UniqueFd(copy);
}

}  // namespace sluice
