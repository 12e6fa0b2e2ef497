// SPDX-License-Identifier: Apache-2.0
#include "convert/blob_builder.h"

#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "codec/chunk_codec.h"
#include "image/rafs/blob_meta.h"

namespace sluice::convert {

using image::FileChunk;
using image::rafs::Blob;
using image::rafs::BlobMetaHeader;
using image::rafs::Chunk;
using image::rafs::ZeroChunk;

namespace {

// What chunk indexes and V1 chunk info have bits for.
constexpr size_t kMaxChunks = size_t{1} << 24;
constexpr uint64_t kMaxStored = uint64_t{1} << 40;
constexpr uint64_t kMaxPlain = uint64_t{1} << 44;

}  // namespace

void BlobBuilder::Commit(const ChunkBatch& batch) {
  // Stored bytes of new chunks that follow each other go out in one write.
  size_t run_begin = 0;
  size_t run_end = 0;
  for (const ChunkBatch::Item& item : batch.items()) {
    FileChunk place;
    if (item.content == ChunkBatch::Content::kHole) {
      saw_hole_ = true;
    } else {
      if (const std::optional<FileChunk> known = dictionary_.Find(item.digest, item.plain_size)) {
        place = *known;
      } else {
        SLUICE_CHECK(item.content != ChunkBatch::Content::kKnown, "a known chunk stays known");
        place = {.blob = index_, .chunk = AppendChunk(item)};
        dictionary_.Add(item.digest, item.plain_size, place);
        if (item.stored_offset != run_end) {
          Write(batch.stored().subspan(run_begin, run_end - run_begin));
          run_begin = item.stored_offset;
        }
        run_end = item.stored_offset + item.stored_size;
      }
    }
    tree_.Get(item.file).chunks[item.position] = place;
  }
  Write(batch.stored().subspan(run_begin, run_end - run_begin));
}

uint32_t BlobBuilder::AppendChunk(const ChunkBatch::Item& item) {
  if (chunks_.size() == kMaxChunks || stored_end_ + item.stored_size > kMaxStored ||
      plain_end_ + item.plain_size > kMaxPlain) {
    Throw(Errc::kLimit, "more than a blob can hold: {} chunks, {} bytes stored, {} plain; choose larger chunks",
          chunks_.size() + 1, stored_end_ + item.stored_size, plain_end_ + item.plain_size);
  }
  const auto index = static_cast<uint32_t>(chunks_.size());
  chunks_.push_back({.index = index,
                     .digest = item.digest,
                     .plain_offset = plain_end_,
                     .stored_offset = stored_end_,
                     .plain_size = item.plain_size,
                     .stored_size = item.stored_size,
                     .compressed = item.content == ChunkBatch::Content::kCompressed});
  plain_end_ = AlignUp(plain_end_ + item.plain_size, kBlockSize);
  stored_end_ += item.stored_size;
  return index;
}

void BlobBuilder::Write(ConstBytes bytes) {
  if (bytes.empty()) return;
  if (!writer_) writer_ = target_.NewChunkBlob();
  writer_->Write(bytes);
}

ZeroChunk BlobBuilder::AddZeros(uint32_t chunk_size, const Format& format) {
  const std::vector<std::byte> plain(chunk_size);
  std::vector<std::byte> stored(chunk_size);
  const std::optional<size_t> compressed = codec::ChunkEncoder(format.compression, format.level).Encode(plain, stored);
  AppendChunk({.plain_size = chunk_size,
               .content = compressed ? ChunkBatch::Content::kCompressed : ChunkBatch::Content::kPlain,
               .digest = DigestOf(format.digester, plain),
               .stored_size = static_cast<uint32_t>(compressed.value_or(chunk_size))});
  Write(ConstBytes(stored).first(chunks_.back().stored_size));  // without compression: zeros as well
  has_zeros_ = true;
  ZeroChunk zeros{.blob = index_, .chunk = chunks_.back()};
  zeros.chunk.plain_offset = image::rafs::kHoleOffset;
  return zeros;
}

std::optional<Blob> BlobBuilder::Finish(const Format& format) {
  if (chunks_.empty()) return std::nullopt;

  const std::vector<std::byte> plain_info = image::rafs::BuildChunkInfoV1(chunks_);
  std::vector<std::byte> stored_info(plain_info.size());
  const std::optional<size_t> compressed =
      codec::ChunkEncoder(format.compression, format.level).Encode(plain_info, stored_info);
  const ConstBytes info = compressed ? ConstBytes(stored_info).first(*compressed) : ConstBytes(plain_info);

  // The features that nydus-image 2.4 sets for a blob of this form.
  const BlobMetaHeader header{.features = image::rafs::blob_feature::kAligned | image::rafs::blob_feature::kCapTarToc,
                              .ci_compression = compressed ? format.compression : Compression::kNone,
                              .chunk_count = static_cast<uint32_t>(chunks_.size()),
                              .ci_offset = stored_end_,
                              .ci_stored_size = info.size(),
                              .ci_plain_size = plain_info.size()};
  Write(info);
  Write(image::rafs::BuildBlobMetaHeader(header));
  const oci::StoredBlob stored = writer_->Finish();
  if (has_zeros_) chunks_.pop_back();

  return Blob{.id = BlobId::Parse(stored.digest.Hex()),
              .chunk_count = header.chunk_count,
              .compression = format.compression,
              .digester = format.digester,
              .features = header.features,
              .stored_size = stored.size,
              .plain_size = plain_end_,
              .ci_compression = header.ci_compression,
              .ci_offset = header.ci_offset,
              .ci_stored_size = header.ci_stored_size,
              .ci_plain_size = header.ci_plain_size,
              .chunks = std::move(chunks_)};
}

}  // namespace sluice::convert
