// SPDX-License-Identifier: Apache-2.0
#include "backend/local.h"

#include <fcntl.h>  // for O_RDONLY
#include <fmt/format.h>

#include <optional>

#include "backend/read_stream.h"
#include "base/error.h"
#include "runtime/file.h"

namespace sluice::backend {

using runtime::File;
using runtime::Task;

namespace {

class LocalSource final : public BlobSource {
 public:
  LocalSource(std::vector<std::string> directories, std::string name)
      : directories_(std::move(directories)), name_(std::move(name)) {}

  Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    // Reads that run keep the file that they began with, whatever happens to file_ meanwhile.
    std::shared_ptr<File> file = file_;
    if (file == nullptr) file = co_await Open();
    try {
      co_await file->ReadExactly(dst, offset);
    } catch (const Error& e) {
      if (e.code() != Errc::kStopped && file_ == file) file_ = nullptr;
      throw;
    }
  }

  std::unique_ptr<BlobStream> OpenStream(uint64_t offset, uint64_t, runtime::Lane) override {
    return std::make_unique<ReadStream>(*this, offset);
  }

  void Distrust() noexcept override { file_ = nullptr; }

  std::string Describe() const override {
    return fmt::format("{} '{}'", directories_.size() == 1 ? "directory" : "directories",
                       fmt::join(directories_, "', '"));
  }

 private:
  Task<std::shared_ptr<File>> Open() {
    const runtime::Context& context = co_await runtime::CurrentContext();
    for (const std::string& directory : directories_) {
      try {
        // O_NONBLOCK: a fifo in the blob's place must not hold us up; it means nothing for a regular file.
        file_ = std::make_shared<File>(
            co_await File::Open(context.engine, directory + "/" + name_, O_RDONLY | O_NONBLOCK | O_NOCTTY));
        co_return file_;
      } catch (const Error& e) {
        if (e.code() != Errc::kNotFound) throw;
      }
    }
    Throw(Errc::kNotFound, "'{}' does not exist in {}", name_, Describe());
  }

  const std::vector<std::string> directories_;
  const std::string name_;
  std::shared_ptr<File> file_;  // null: to be opened
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
