// SPDX-License-Identifier: Apache-2.0
#pragma once
// libarchive's view of a tar stream.  Internal to oci.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/stream.h"
#include "oci/layer_reader.h"

namespace sluice::oci {

class ArchiveReader {
 public:
  // `tar` is uncompressed and outlives the reader.  What it throws comes out of the methods below.
  explicit ArchiveReader(codec::ByteSource& tar);
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // What a header says, besides names.
  struct Header {
    uint64_t offset = 0;  // of the first header of the member in the stream
    uint32_t type = 0;    // S_IFMT of stat(2); 0 for a hard link
    int64_t uid = 0;
    int64_t gid = 0;
    int64_t mtime_seconds = 0;
    int64_t size = 0;       // holes included
    int64_t data_size = 0;  // without the holes
    uint64_t device_major = 0;
    uint64_t device_minor = 0;
    std::vector<std::pair<std::string, std::string>> xattrs;
  };
  // nullopt at the end-of-archive mark.
  std::optional<Header> Next();
  std::optional<DataPiece> NextData();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::oci
