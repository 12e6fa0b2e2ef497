// SPDX-License-Identifier: Apache-2.0
#include "oci/directory_layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"

namespace sluice::oci {
namespace {

constexpr size_t kReadSize = 256 * kKiB;
constexpr std::string_view kWhiteoutPrefix = ".wh.";  // image-spec layer.md

struct DirClose {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

std::string Join(const std::vector<std::string>& parts) {
  std::string name;
  for (const std::string& part : parts) name += (name.empty() ? "" : "/") + part;
  return name.empty() ? "." : name;
}

// An attribute of the file behind `proc_path`; 64 KiB is what the kernel allows at most (xattr(7)).
std::string ReadXattr(const std::string& proc_path, const std::string& name) {
  std::string value(kMaxXattrValueLength, '\0');
  const ssize_t size = ::getxattr(proc_path.c_str(), name.c_str(), value.data(), value.size());
  if (size < 0) ThrowErrno(errno, "cannot read extended attribute '{}'", name);
  value.resize(static_cast<size_t>(size));
  return value;
}

std::vector<std::string> ListXattrs(const std::string& proc_path) {
  std::string list(kMaxXattrValueLength, '\0');
  const ssize_t size = ::listxattr(proc_path.c_str(), list.data(), list.size());
  if (size < 0 && errno == ENOTSUP) return {};
  if (size < 0) ThrowErrno(errno, "cannot list extended attributes");
  list.resize(static_cast<size_t>(size));
  std::vector<std::string> names;
  for (size_t at = 0; at < list.size(); at += names.back().size() + 1) names.emplace_back(list.c_str() + at);
  return names;
}

EntryType TypeOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return EntryType::kDirectory;
    case S_IFLNK: return EntryType::kSymlink;
    case S_IFCHR: return EntryType::kCharDevice;
    case S_IFBLK: return EntryType::kBlockDevice;
    case S_IFIFO: return EntryType::kFifo;
    case S_IFSOCK: return EntryType::kSocket;
    default: return EntryType::kRegular;
  }
}

class DirectoryLayerReader final : public LayerReader {
 public:
  explicit DirectoryLayerReader(const std::string& path)
      : root_path_(path), root_(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (!root_) ThrowErrno(errno, "directory '{}'", path);
  }

  std::optional<LayerEntry> Next() override {
    return WithContext([this]() -> std::optional<LayerEntry> {
      file_.Reset();
      if (!started_) {
        started_ = true;
        return Enter({});
      }
      // Directories with nothing left are done.
      while (!pending_.empty() && pending_.back().empty()) {
        pending_.pop_back();
        if (!path_.empty()) path_.pop_back();
      }
      if (pending_.empty()) return std::nullopt;
      std::vector<std::string> path = path_;
      path.push_back(std::move(pending_.back().back()));
      pending_.back().pop_back();
      return Enter(std::move(path));
    });
  }

  std::optional<DataPiece> NextData() override {
    return WithContext([this] { return NextPiece(); });
  }

 private:
  LayerEntry Enter(std::vector<std::string> path);
  std::optional<DataPiece> NextPiece();
  UniqueFd Open(const std::string& name, uint64_t flags) const;
  std::vector<std::string> NamesIn(const std::string& name) const;

  template <typename F>
  auto WithContext(F f) -> decltype(f()) {
    try {
      return f();
    } catch (Error& e) {
      e.AddContext("'" + root_path_ + "/" + present_ + "'");
      throw;
    }
  }

  const std::string root_path_;
  const UniqueFd root_;
  bool started_ = false;
  std::vector<std::string> path_;                  // of the directory whose names are being given
  std::vector<std::vector<std::string>> pending_;  // names to come, last first: of the root, …, of path_
  std::map<std::pair<dev_t, ino_t>, std::vector<std::string>> linked_;  // first names of files that have several

  // The entry being read.
  std::string present_;
  UniqueFd file_;  // of a regular file
  uint64_t size_ = 0;
  uint64_t offset_ = 0;    // up to here it has been given
  uint64_t data_end_ = 0;  // data, not a hole, up to here
  std::vector<std::byte> buffer_;
};

// Each file is opened from the root by its whole name: however deep the tree, two descriptors are enough, and no link
// that appears on the way is followed.
UniqueFd DirectoryLayerReader::Open(const std::string& name, uint64_t flags) const {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, root_.get(), name.c_str(), &how, sizeof(how));
  if (fd < 0) ThrowErrno(errno, "cannot open");
  return UniqueFd(static_cast<int>(fd));
}

// In descending byte order.
std::vector<std::string> DirectoryLayerReader::NamesIn(const std::string& name) const {
  UniqueFd fd = Open(name, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, DirClose> directory(::fdopendir(fd.get()));
  if (!directory) ThrowErrno(errno, "cannot list");
  (void)fd.Release();  // closedir closes it
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view child(entry->d_name);
    if (child == "." || child == "..") continue;
    if (child.starts_with(kWhiteoutPrefix))
      Throw(Errc::kUnsupported, "'{}' in it would hide a file of the image", child);
    names.emplace_back(child);
  }
  if (errno != 0) ThrowErrno(errno, "cannot list");
  std::ranges::sort(names, std::greater<>());
  return names;
}

LayerEntry DirectoryLayerReader::Enter(std::vector<std::string> path) {
  present_ = Join(path);
  if (present_.size() > kMaxPathLength)
    Throw(Errc::kUnsupported, "name of {} bytes, more than {}", present_.size(), kMaxPathLength);
  const UniqueFd fd = Open(present_, O_PATH);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) ThrowErrno(errno, "cannot look at it");

  LayerEntry entry{.path = std::move(path),
                   .type = TypeOf(status.st_mode),
                   .permissions = static_cast<uint16_t>(status.st_mode & 07777),
                   .uid = status.st_uid,
                   .gid = status.st_gid,
                   .mtime_seconds = status.st_mtim.tv_sec,
                   .mtime_nanoseconds = static_cast<uint32_t>(status.st_mtim.tv_nsec)};
  if (entry.type != EntryType::kDirectory && status.st_nlink > 1) {
    const auto [first, added] = linked_.try_emplace({status.st_dev, status.st_ino}, entry.path);
    if (!added) {
      entry.type = EntryType::kHardLink;
      entry.link_path = first->second;
      return entry;
    }
  }
  // getxattr(2) takes no O_PATH descriptor, but follows this link to just that file, be it a symbolic link itself.
  const std::string proc_path = "/proc/self/fd/" + std::to_string(fd.get());
  for (const std::string& name : ListXattrs(proc_path)) entry.xattrs.emplace(name, ReadXattr(proc_path, name));

  switch (entry.type) {
    case EntryType::kRegular:
      file_ = Open(present_, O_RDONLY | O_NOCTTY | O_NONBLOCK);
      size_ = entry.size = static_cast<uint64_t>(status.st_size);
      offset_ = data_end_ = 0;
      break;
    case EntryType::kDirectory:
      pending_.push_back(NamesIn(present_));
      path_ = entry.path;
      break;
    case EntryType::kSymlink: {
      std::string target(kMaxSymlinkLength + 1, '\0');
      const ssize_t size = ::readlinkat(fd.get(), "", target.data(), target.size());
      if (size <= 0 || static_cast<size_t>(size) > kMaxSymlinkLength)
        ThrowErrno(size < 0 ? errno : ENAMETOOLONG, "cannot read the link");
      target.resize(static_cast<size_t>(size));
      entry.symlink_target = std::move(target);
      break;
    }
    case EntryType::kCharDevice:
    case EntryType::kBlockDevice:
      entry.device_major = major(status.st_rdev);
      entry.device_minor = minor(status.st_rdev);
      break;
    default: break;
  }
  return entry;
}

std::optional<DataPiece> DirectoryLayerReader::NextPiece() {
  if (!file_ || offset_ == size_) return std::nullopt;
  if (offset_ == data_end_) {
    const off_t data = ::lseek(file_.get(), static_cast<off_t>(offset_), SEEK_DATA);
    if (data < 0 && errno == ENXIO) {  // only a hole is left
      offset_ = size_;
      return std::nullopt;
    }
    const off_t end = data < 0 ? -1 : ::lseek(file_.get(), data, SEEK_HOLE);
    if (end < 0) ThrowErrno(errno, "cannot look for holes");
    if (static_cast<uint64_t>(data) >= size_) {  // the file has grown
      offset_ = size_;
      return std::nullopt;
    }
    offset_ = static_cast<uint64_t>(data);
    data_end_ = std::min(static_cast<uint64_t>(end), size_);
  }
  buffer_.resize(kReadSize);
  const size_t wanted = std::min<uint64_t>(buffer_.size(), data_end_ - offset_);
  ssize_t count = 0;
  do {
    count = ::pread(file_.get(), buffer_.data(), wanted, static_cast<off_t>(offset_));
  } while (count < 0 && errno == EINTR);
  if (count < 0) ThrowErrno(errno, "cannot read at {}", offset_);
  if (count == 0) Throw(Errc::kIo, "became shorter than {} bytes while it was read", size_);
  const DataPiece piece{offset_, ConstBytes(buffer_).first(static_cast<size_t>(count))};
  offset_ += static_cast<uint64_t>(count);
  return piece;
}

}  // namespace

std::unique_ptr<LayerReader> OpenDirectoryLayer(const std::string& path) {
  return std::make_unique<DirectoryLayerReader>(path);
}

}  // namespace sluice::oci
