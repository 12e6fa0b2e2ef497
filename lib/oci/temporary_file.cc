// SPDX-License-Identifier: Apache-2.0
#include "oci/temporary_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"

namespace sluice::oci {

TemporaryFile::TemporaryFile() {
  const char* const named = std::getenv("TMPDIR");
  directory_ = named == nullptr || *named == '\0' ? "/var/tmp" : named;
  fd_.Reset(::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd_) return;
  // Not every file system has files that never had a name.
  if (errno != EOPNOTSUPP && errno != EISDIR) ThrowErrno(errno, "cannot make a file in '{}'", directory_);
  std::string name = directory_ + "/.sluice-XXXXXX";
  fd_.Reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd_) ThrowErrno(errno, "cannot make a file in '{}'", directory_);
  ::unlink(name.c_str());
}

void TemporaryFile::Append(ConstBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) ThrowErrno(errno, "cannot write a temporary file in '{}'", directory_);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

}  // namespace sluice::oci
