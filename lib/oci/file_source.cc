// SPDX-License-Identifier: Apache-2.0
#include "oci/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace sluice::oci {

std::shared_ptr<const InputFile> InputFile::Open(const std::string& path) {
  // Not to hang in front of a FIFO.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) ThrowErrno(errno, "cannot open '{}'", path);
  return Adopt(path, std::move(fd));
}

std::shared_ptr<const InputFile> InputFile::Adopt(std::string path, UniqueFd fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) ThrowErrno(errno, "cannot look at '{}'", path);
  if (!S_ISREG(status.st_mode)) Throw(Errc::kInvalidArgument, "'{}' is not a regular file", path);
  const auto size = static_cast<uint64_t>(status.st_size);
  return std::shared_ptr<const InputFile>(new InputFile(std::move(path), std::move(fd), size));
}

size_t InputFile::ReadAt(MutableBytes dst, uint64_t offset) const {
  size_t done = 0;
  while (done < dst.size()) {
    const ssize_t count = ::pread(fd_.get(), dst.data() + done, dst.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) ThrowErrno(errno, "cannot read '{}' at {}", path_, offset + done);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

FilePart Whole(std::shared_ptr<const InputFile> file) {
  const uint64_t size = file->size();
  return {std::move(file), ByteRange{0, size}};
}

size_t FileSource::Read(MutableBytes dst) {
  ByteRange& left = part_.range;
  const size_t wanted = std::min<uint64_t>(dst.size(), left.length);
  if (part_.file->ReadAt(dst.first(wanted), left.offset) < wanted)
    Throw(Errc::kIo, "'{}' became shorter than {} bytes while it was read", part_.file->path(), left.end());
  left.offset += wanted;
  left.length -= wanted;
  return wanted;
}

std::vector<std::byte> ReadWhole(const FilePart& part) {
  std::vector<std::byte> bytes(part.range.length);
  if (part.file->ReadAt(bytes, part.range.offset) < bytes.size())
    Throw(Errc::kIo, "'{}' became shorter than {} bytes while it was read", part.file->path(), part.range.end());
  return bytes;
}

}  // namespace sluice::oci
