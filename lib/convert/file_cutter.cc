// SPDX-License-Identifier: Apache-2.0
#include "convert/file_cutter.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/error.h"

namespace sluice::convert {

using image::InodeId;

void FileCutter::Begin(InodeId file) {
  file_ = file;
  file_size_ = tree_.Get(file).size;
  const uint64_t chunks = file_size_ / chunk_size_ + (file_size_ % chunk_size_ != 0 ? 1 : 0);
  if (chunks > kMaxFileChunks - file_chunks_) {
    Throw(Errc::kLimit, "{} chunks of {} bytes; an image has at most {}, of which {} are in use: choose larger chunks",
          chunks, chunk_size_, kMaxFileChunks, file_chunks_);
  }
  file_chunks_ += chunks;
  chunks_left_ = chunks;
  tree_.Get(file).chunks.resize(chunks);
}

void FileCutter::Take(oci::LayerReader& reader) {
  while (const std::optional<oci::DataPiece> piece = reader.NextData()) {
    uint64_t offset = piece->offset;
    ConstBytes bytes = piece->bytes;
    SLUICE_CHECK(offset <= file_size_ && bytes.size() <= file_size_ - offset, "data inside the file");
    while (!bytes.empty()) {
      const uint64_t position = offset / chunk_size_;
      if (chunk_.empty() || position_ != position) {
        CloseChunk();
        OpenChunk(position);
      }
      // A hole in front of the piece, then as much of the piece as belongs to this chunk.
      const size_t at = offset % chunk_size_;
      const size_t count = std::min(bytes.size(), chunk_.size() - at);
      SLUICE_CHECK(at >= filled_, "data in ascending order");
      std::ranges::fill(chunk_.subspan(filled_, at - filled_), std::byte{0});
      std::ranges::copy(bytes.first(count), chunk_.begin() + static_cast<ptrdiff_t>(at));
      filled_ = at + count;
      bytes = bytes.subspan(count);
      offset += count;
    }
  }
  CloseChunk();
  if (chunks_left_ > 0) left_hole_ = true;
}

void FileCutter::OpenChunk(uint64_t position) {
  const uint64_t plain_size = std::min<uint64_t>(chunk_size_, file_size_ - position * chunk_size_);
  chunk_ = pipeline_.Append(file_, position, static_cast<uint32_t>(plain_size));
  position_ = position;
  filled_ = 0;
  --chunks_left_;
}

void FileCutter::CloseChunk() {
  std::ranges::fill(chunk_.subspan(filled_), std::byte{0});
  chunk_ = {};
  filled_ = 0;
}

}  // namespace sluice::convert
