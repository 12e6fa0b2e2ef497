// SPDX-License-Identifier: Apache-2.0
#include "codec/chunk_codec.h"

#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "codec/lz4.h"
#include "codec/zstd.h"

namespace sluice::codec {

struct ChunkEncoder::Contexts {
  std::optional<ZstdEncoder> zstd;
  std::optional<Lz4Encoder> lz4;
};

ChunkEncoder::ChunkEncoder(Compression compression, int level)
    : compression_(compression), contexts_(std::make_unique<Contexts>()) {
  switch (compression) {
    case Compression::kNone: return;
    case Compression::kLz4Block: contexts_->lz4.emplace(); return;
    case Compression::kZstd: contexts_->zstd.emplace(level); return;
    case Compression::kGzip: break;
  }
  Throw(Errc::kUnsupported, "chunks cannot be compressed with {}", Name(compression));
}
ChunkEncoder::~ChunkEncoder() = default;

std::optional<size_t> ChunkEncoder::Encode(ConstBytes plain, MutableBytes dst) {
  SLUICE_CHECK(dst.size() >= plain.size(), "the output of a chunk has room for its plain bytes");
  if (plain.empty()) return std::nullopt;
  // Always the same room, so that the result never depends on how much the caller has.
  const MutableBytes room = dst.first(plain.size() - 1);
  if (contexts_->zstd) return contexts_->zstd->Encode(plain, room);
  if (contexts_->lz4) return contexts_->lz4->Encode(plain, room);
  return std::nullopt;
}

struct ChunkDecoder::Contexts {
  ZstdDecoder zstd;
};

ChunkDecoder::ChunkDecoder() : contexts_(std::make_unique<Contexts>()) {}
ChunkDecoder::~ChunkDecoder() = default;

void ChunkDecoder::Decode(Compression compression, ConstBytes stored, MutableBytes plain) {
  switch (compression) {
    case Compression::kZstd: contexts_->zstd.Decode(stored, plain); return;
    case Compression::kLz4Block: DecodeLz4(stored, plain); return;
    case Compression::kNone:
      if (stored.size() != plain.size())
        Throw(Errc::kCorrupt, "uncompressed chunk has {} bytes instead of {}", stored.size(), plain.size());
      std::memcpy(plain.data(), stored.data(), plain.size());
      return;
    case Compression::kGzip: break;
  }
  Throw(Errc::kUnsupported, "chunks compressed with {} cannot be read", Name(compression));
}

}  // namespace sluice::codec
