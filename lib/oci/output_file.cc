// SPDX-License-Identifier: Apache-2.0
#include "oci/output_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"

namespace sluice::oci {
namespace {

constexpr int kMaxAttempts = 100;

uint64_t RandomNumber() {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), 0) != sizeof(number)) ThrowErrno(errno, "cannot get a random number");
  return number;
}

}  // namespace

OutputFile::OutputFile(const std::string& directory) {
  for (int attempt = 0; attempt < kMaxAttempts && !fd_; ++attempt) {
    path_ = fmt::format("{}/.sluice-{:016x}", directory, RandomNumber());
    fd_.Reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd_ && errno != EEXIST) ThrowErrno(errno, "cannot make a file in '{}'", directory);
  }
  if (!fd_) Throw(Errc::kIo, "cannot find a free name in '{}'", directory);
}

OutputFile::~OutputFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void OutputFile::Append(ConstBytes bytes) {
  WriteAt(bytes, size_);
  size_ += bytes.size();
}

void OutputFile::WriteAt(ConstBytes bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) ThrowErrno(errno, "cannot write '{}' at {}", path_, offset);
    offset += static_cast<uint64_t>(count);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void OutputFile::Truncate(uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) ThrowErrno(errno, "cannot shorten '{}'", path_);
  size_ = size;
}

void OutputFile::Finish() {
  if (::fsync(fd_.get()) != 0) ThrowErrno(errno, "cannot sync '{}'", path_);
  fd_.Reset();
}

void OutputFile::Publish(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) ThrowErrno(errno, "cannot rename '{}' to '{}'", path_, path);
  path_.clear();
}

void SyncDirectory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) ThrowErrno(errno, "cannot sync directory '{}'", path);
}

}  // namespace sluice::oci
