// SPDX-License-Identifier: Apache-2.0
#include "backend/local.h"

#include <fcntl.h>  // for O_RDONLY
#include <fmt/format.h>
#include <sys/stat.h>  // for statx

#include <algorithm>
#include <climits>  // for IOV_MAX
#include <optional>

#include "backend/read_stream.h"
#include "base/error.h"
#include "runtime/file.h"
#include "runtime/semaphore.h"

namespace sluice::backend {

using runtime::File;
using runtime::Task;

namespace {

// Without asking a server for anything, which may hang.  0: not known.
uint64_t FileSystemOf(int fd) noexcept {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &info) != 0) return 0;
  return uint64_t{info.stx_dev_major} << 32 | info.stx_dev_minor;
}

// One that is open.
class LocalFile final : public BlobFile {
 public:
  // `real`: not one of the simulator.
  LocalFile(File opened, bool real) noexcept
      : file(std::move(opened)), real_(real), file_system_(real ? FileSystemOf(file.fd()) : 0) {}

  bool TryRead(uint64_t offset, std::span<const iovec> parts) const noexcept override {
    if (!real_) return false;
    while (!parts.empty()) {
      const auto now = parts.first(std::min<size_t>(parts.size(), IOV_MAX));
      int64_t bytes = 0;
      for (const iovec& part : now) bytes += static_cast<int64_t>(part.iov_len);
      if (::preadv(file.fd(), now.data(), static_cast<int>(now.size()), static_cast<off_t>(offset)) != bytes)
        return false;
      parts = parts.subspan(now.size());
      offset += static_cast<uint64_t>(bytes);
    }
    return true;
  }

  uint64_t file_system() const noexcept override { return file_system_; }

  File file;

 private:
  const bool real_;
  const uint64_t file_system_;
};

class LocalSource final : public BlobSource {
 public:
  LocalSource(std::vector<std::string> directories, std::string name)
      : directories_(std::move(directories)), name_(std::move(name)) {}

  Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    // Reads that run keep the file that they began with, whatever happens to open_ meanwhile.
    std::shared_ptr<LocalFile> open = open_;
    if (open == nullptr) open = co_await Open();
    try {
      co_await open->file.ReadExactly(dst, offset);
    } catch (const Error& e) {
      if (e.code() != Errc::kStopped && open_ == open) open_ = nullptr;
      throw;
    }
  }

  std::unique_ptr<BlobStream> OpenStream(uint64_t offset, uint64_t, runtime::Lane) override {
    return std::make_unique<ReadStream>(*this, offset);
  }

  std::shared_ptr<const BlobFile> file() const noexcept override { return open_; }
  Task<void> OpenFile() override {
    // One after the other: should the directory hang, each would hold a thread of the kernel.
    const runtime::Permit alone = co_await opening_.Acquire(1);
    if (open_ == nullptr) co_await Open();
  }
  void Distrust() noexcept override { open_ = nullptr; }

  std::string Describe() const override {
    return fmt::format("{} '{}'", directories_.size() == 1 ? "directory" : "directories",
                       fmt::join(directories_, "', '"));
  }

 private:
  Task<std::shared_ptr<LocalFile>> Open() {
    const runtime::Context& context = co_await runtime::CurrentContext();
    for (const std::string& directory : directories_) {
      try {
        // O_NONBLOCK: a fifo in the blob's place must not hold us up; it means nothing for a regular file.
        File file = co_await File::Open(context.engine, directory + "/" + name_, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        open_ = std::make_shared<LocalFile>(std::move(file), !context.engine.simulated());
        co_return open_;
      } catch (const Error& e) {
        if (e.code() != Errc::kNotFound) throw;
      }
    }
    Throw(Errc::kNotFound, "'{}' does not exist in {}", name_, Describe());
  }

  const std::vector<std::string> directories_;
  const std::string name_;
  std::shared_ptr<LocalFile> open_;  // null: to be opened
  runtime::Semaphore opening_{1};
};

}  // namespace

std::unique_ptr<LocalBackend> LocalBackend::OfFile(const std::string& path) {
  const size_t slash = path.rfind('/');
  auto backend = std::make_unique<LocalBackend>(std::vector{path.substr(0, slash)});
  backend->name_ = path.substr(slash + 1);
  return backend;
}

std::unique_ptr<BlobSource> LocalBackend::Open(const BlobId& id) const {
  return std::make_unique<LocalSource>(directories_, name_.empty() ? id.hex() : name_);
}

}  // namespace sluice::backend
