// SPDX-License-Identifier: Apache-2.0
#pragma once
// A file, or a part of one, as a byte source.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/range.h"
#include "codec/stream.h"

namespace sluice::oci {

// A regular file opened for reading; several sources may share it.  Blocks.
class InputFile {
 public:
  // Throws kNotFound when there is none, kInvalidArgument when it is not a regular file.
  static std::shared_ptr<const InputFile> Open(const std::string& path);
  // A regular file that is open already; `path` is for messages.
  static std::shared_ptr<const InputFile> Adopt(std::string path, UniqueFd fd);

  const std::string& path() const noexcept { return path_; }
  uint64_t size() const noexcept { return size_; }  // when it was opened
  // Fewer bytes than dst.size() only at the end of the file.
  size_t ReadAt(MutableBytes dst, uint64_t offset) const;

 private:
  InputFile(std::string path, UniqueFd fd, uint64_t size) : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}
  const std::string path_;
  const UniqueFd fd_;
  const uint64_t size_;
};

struct FilePart {
  std::shared_ptr<const InputFile> file;
  ByteRange range;  // inside the file
};

// All of a file.
FilePart Whole(std::shared_ptr<const InputFile> file);

// The bytes of a part; throws kIo when the file has become shorter.
class FileSource final : public codec::ByteSource {
 public:
  explicit FileSource(FilePart part) : part_(std::move(part)) {}

  size_t Read(MutableBytes dst) override;

 private:
  FilePart part_;  // what is left
};

// Everything in a part.  The caller has checked that it is not too much.
std::vector<std::byte> ReadWhole(const FilePart& part);

}  // namespace sluice::oci
