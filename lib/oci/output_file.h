// SPDX-License-Identifier: Apache-2.0
#pragma once
// A file that appears under its name whole and durable, or not at all.  Internal to oci.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"

namespace sluice::oci {

// Under a temporary name (".sluice-…") until it is published; destroyed before that, it is removed.
class OutputFile {
 public:
  explicit OutputFile(const std::string& directory);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  uint64_t size() const noexcept { return size_; }
  void Append(ConstBytes bytes);
  void WriteAt(ConstBytes bytes, uint64_t offset);
  // Drops what is behind `size`.
  void Truncate(uint64_t size);
  // The content is on disk when it returns, and the descriptor closed: nothing can be written any more.
  void Finish();
  // Moves the finished file to `path` in the same file system, replacing what is there.  SyncDirectory makes that
  // durable.
  void Publish(const std::string& path);

 private:
  std::string path_;  // empty once published
  UniqueFd fd_;
  uint64_t size_ = 0;
};

// Makes the names in a directory durable.
void SyncDirectory(const std::string& path);

}  // namespace sluice::oci
