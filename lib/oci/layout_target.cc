// SPDX-License-Identifier: Apache-2.0
#include "oci/layout_target.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "oci/layout.h"
#include "oci/media_types.h"
#include "oci/target_documents.h"

namespace sluice::oci {
namespace {

bool Exists(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) ThrowErrno(errno, "cannot look at '{}'", path);
  return false;
}

// Empty, or with no more in it than a writer makes before its first image is there.
bool IsFresh(const std::string& path) {
  struct Close {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
  };
  const std::unique_ptr<DIR, Close> directory(::opendir(path.c_str()));
  if (!directory) ThrowErrno(errno, "cannot list '{}'", path);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) ThrowErrno(errno, "cannot list '{}'", path);
    if (entry == nullptr) return true;
    const std::string_view name(entry->d_name);
    if (name != "." && name != ".." && name != "blobs" && name != "oci-layout") return false;
  }
}

// Held by one writer of index.json at a time; readers see the old or the new one.
class IndexLock {
 public:
  explicit IndexLock(const std::string& directory)
      : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!fd_) ThrowErrno(errno, "cannot open '{}'", directory);
    int result = 0;
    do {
      result = ::flock(fd_.get(), LOCK_EX);
    } while (result != 0 && errno == EINTR);
    if (result != 0) ThrowErrno(errno, "cannot lock '{}'", directory);
  }

 private:
  UniqueFd fd_;  // closing it gives the lock back
};

}  // namespace

class LayoutTarget::Writer final : public BlobWriter {
 public:
  explicit Writer(LayoutTarget& target)
      : target_(target), hasher_(DigestAlgorithm::kSha256), file_(std::make_unique<OutputFile>(target.blobs_)) {}

  void Write(ConstBytes bytes) override {
    hasher_.Update(bytes);
    file_->Append(bytes);
  }
  StoredBlob Finish() override { return target_.Keep(std::move(file_), hasher_.Finish()); }

 private:
  LayoutTarget& target_;
  Hasher hasher_;
  std::unique_ptr<OutputFile> file_;
};

LayoutTarget::LayoutTarget(std::string directory, std::string tag)
    : directory_(std::move(directory)), tag_(std::move(tag)), blobs_(directory_ + "/blobs/sha256") {
  if (Exists(directory_ + "/index.json")) {
    (void)Layout::Open(directory_);  // a broken one is not made worse
  } else if (Exists(directory_) && !IsFresh(directory_)) {
    Throw(Errc::kExists, "'{}' is neither empty nor an image layout", directory_);
  }
  try {
    MakeDirectories();
  } catch (const Error&) {
    RemoveIfMade();
    throw;
  }
}

LayoutTarget::~LayoutTarget() {
  pending_.clear();
  RemoveIfMade();
}

std::unique_ptr<BlobWriter> LayoutTarget::NewBlob() {
  // Another writer that gave up may have removed what it had made, while it was empty.
  MakeDirectories();
  return std::make_unique<Writer>(*this);
}

std::string LayoutTarget::BlobPath(const Digest& digest) const { return directory_ + "/" + Layout::BlobName(digest); }

StoredBlob LayoutTarget::Keep(std::unique_ptr<OutputFile> file, const Digest& digest) {
  const StoredBlob blob{digest, file->size()};
  // A blob of that name and size is this blob; of another size, it is the remains of an accident and replaced.
  struct stat status {};
  const bool present = ::stat(BlobPath(digest).c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
                       static_cast<uint64_t>(status.st_size) == blob.size;
  if (present || pending_.contains(digest)) return blob;
  file->Finish();
  pending_.emplace(digest, std::move(file));
  return blob;
}

bool LayoutTarget::HasBlob(const Descriptor& blob) {
  if (pending_.contains(blob.digest)) return true;
  struct stat status {};
  return ::stat(BlobPath(blob.digest).c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<uint64_t>(status.st_size) == blob.size;
}

void LayoutTarget::PutManifest(const StoredManifest& manifest) { PutBlob(manifest.bytes); }

Descriptor LayoutTarget::Commit(const StoredManifest& manifest, const std::optional<Platform>& platform) {
  PutBlob(manifest.bytes);
  Descriptor entry = IndexEntry(manifest, platform, tag_);

  const IndexLock lock(directory_);
  Index index{.media_type = std::string(media_type::kIndex)};
  if (Exists(directory_ + "/index.json")) index = Layout::Open(directory_).index();
  std::erase_if(index.manifests, [this](const Descriptor& other) {
    const auto name = other.annotations.find(annotation::kRefName);
    return name != other.annotations.end() && name->second == tag_;
  });
  index.manifests.push_back(entry);

  // All that needs space comes first; then renames only, and the index last: it is what makes the image appear.
  const std::string index_text = Serialize(index);
  OutputFile index_file(directory_);
  index_file.Append(AsBytes(index_text));
  index_file.Finish();
  if (!Exists(directory_ + "/oci-layout")) {
    OutputFile version_file(directory_);
    version_file.Append(AsBytes(kLayoutVersionDocument));
    version_file.Finish();
    version_file.Publish(directory_ + "/oci-layout");
  }
  for (auto& [digest, file] : pending_) file->Publish(BlobPath(digest));
  pending_.clear();
  for (const std::string& path : {blobs_, directory_ + "/blobs", directory_}) SyncDirectory(path);
  index_file.Publish(directory_ + "/index.json");
  SyncDirectory(directory_);
  made_.clear();
  return entry;
}

void LayoutTarget::MakeDirectories() {
  for (const std::string& path : {directory_, directory_ + "/blobs", blobs_}) {
    if (::mkdir(path.c_str(), 0755) == 0) {
      made_.push_back(path);
    } else if (errno != EEXIST) {
      ThrowErrno(errno, "cannot make directory '{}'", path);
    }
  }
}

// Whatever somebody else has put into a directory meanwhile keeps it alive.
void LayoutTarget::RemoveIfMade() noexcept {
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) ::rmdir(path->c_str());
}

}  // namespace sluice::oci
