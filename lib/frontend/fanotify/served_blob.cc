// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/served_blob.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"

namespace sluice::frontend::fanotify {

FileIdentity IdentityOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) ThrowErrno(errno, "cannot examine '{}'", path);
  return {status.st_dev, status.st_ino};
}

FileIdentity IdentityOf(int fd) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

ServedBlob::ServedBlob(const Group& group, ErrorLog& errors, cache::BlobCache& blob)
    : group_(group), errors_(errors), blob_(blob), identity_(IdentityOf(blob.data_path())) {
  unused_.Set();
}

ServedBlob::~ServedBlob() { SLUICE_CHECK(users_ == 0 && uses_ == 0, "a blob is destroyed that is still served"); }

ByteRange ServedBlob::Clamp(ByteRange range) const noexcept {
  const uint64_t size = blob_.layout().plain_size();
  const uint64_t begin = std::min(AlignDown(range.offset, kBlockSize), size);
  const uint64_t end = range.end() >= size ? size : AlignUp(range.end(), kBlockSize);
  return {begin, end - begin};
}

void ServedBlob::AddUser() {
  // Also when it is marked already: somebody may have removed the mark.
  group_.Mark(blob_.data_path());
  marked_ = true;
  if (users_++ == 0) blob_.SetObserver(this);
  ++opening_;
}

void ServedBlob::Opened() noexcept {
  if (--opening_ == 0 && blob_.complete()) Unmark();
}

bool ServedBlob::RemoveUser() noexcept {
  if (--users_ > 0) return true;
  // Nobody reads any more: what becomes of the blob does not matter.
  blob_.SetObserver(nullptr);
  Unmark();
  return false;
}

void ServedBlob::OnComplete(cache::BlobCache&) noexcept {
  if (opening_ == 0) Unmark();
}

void ServedBlob::OnIncomplete(cache::BlobCache&, const Error& error) noexcept {
  errors_.Report(error.message(), "what was not synced is fetched again");
  try {
    group_.Mark(blob_.data_path());
    marked_ = true;
  } catch (const Error& failure) {
    errors_.Report(failure.message(), "reads of it are not checked any more");
  }
}

void ServedBlob::Unmark() noexcept {
  if (!marked_) return;
  try {
    group_.Unmark(blob_.data_path());
    marked_ = false;
  } catch (const Error& error) {
    errors_.Report(error.message(), "it stays marked");
  }
}

ServedBlob::Use::Use(ServedBlob& served) noexcept : served_(&served) {
  if (served.uses_++ == 0) served.unused_.Reset();
}

ServedBlob::Use& ServedBlob::Use::operator=(Use&& other) noexcept {
  std::swap(served_, other.served_);
  return *this;
}

ServedBlob::Use::~Use() {
  if (served_ != nullptr && --served_->uses_ == 0) served_->unused_.Set();
}

}  // namespace sluice::frontend::fanotify
