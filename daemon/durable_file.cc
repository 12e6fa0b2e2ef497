// SPDX-License-Identifier: Apache-2.0
#include "durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"

namespace sluice::daemon {
namespace {

std::string ParentOf(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

void SyncDirectory(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) ThrowErrno(errno, "cannot sync directory '{}'", path);
}

void WriteAndSync(const std::string& path, ConstBytes content) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) ThrowErrno(errno, "cannot make '{}'", path);
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) ThrowErrno(errno, "cannot write {} bytes to '{}'", content.size(), path);
    content = content.subspan(static_cast<size_t>(count));
  }
  if (::fsync(file.get()) != 0) ThrowErrno(errno, "cannot sync '{}'", path);
}

}  // namespace

void WriteDurably(const std::string& path, ConstBytes content) {
  const std::string temporary = path + ".new";
  try {
    WriteAndSync(temporary, content);
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      ThrowErrno(errno, "cannot rename '{}' to '{}'", temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  SyncDirectory(ParentOf(path));
}

std::vector<std::byte> ReadWholeFile(const std::string& path, uint64_t max_bytes) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) ThrowErrno(errno, "cannot open '{}'", path);
  // One more than there is, so that the end is seen at once.
  std::vector<std::byte> content(std::min(static_cast<uint64_t>(status.st_size), max_bytes) + 1);
  size_t size = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) ThrowErrno(errno, "cannot read '{}' at {}", path, size);
    if (count == 0) break;
    size += static_cast<size_t>(count);
    if (size > max_bytes) Throw(Errc::kLimit, "'{}' has more than {} bytes", path, max_bytes);
    if (size == content.size()) content.resize(std::min<uint64_t>(2 * size, max_bytes + 1));
  }
  content.resize(size);
  return content;
}

void MakeDirectories(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0700) == 0) {
      SyncDirectory(ParentOf(part));
    } else if (errno != EEXIST) {
      ThrowErrno(errno, "cannot make directory '{}'", part);
    }
    if (end == std::string::npos) return;
  }
}

void RemoveDurably(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    ThrowErrno(errno, "cannot remove '{}'", path);
  }
  SyncDirectory(ParentOf(path));
}

}  // namespace sluice::daemon
