// SPDX-License-Identifier: Apache-2.0
#include "cache/run_decoder.h"

#include <algorithm>

namespace sluice::cache {
namespace {

void DecodeChunk(const BlobLayout& layout, const LayoutChunk& chunk, ConstBytes stored, MutableBytes plain,
                 codec::ChunkDecoder& decoder) {
  decoder.Decode(chunk.compressed ? layout.compression() : Compression::kNone, stored, plain);
  const Digest digest = DigestOf(layout.digester(), plain);
  if (digest != chunk.digest)
    Throw(Errc::kCorrupt, "the {} digest of its {} bytes begins with {}, not with {}", Name(layout.digester()),
          plain.size(), digest.Hex().substr(0, 16), chunk.digest.Hex().substr(0, 16));
}

}  // namespace

std::vector<ChunkFailure> DecodeRun(const BlobLayout& layout, ChunkSpan run, ConstBytes stored, MutableBytes plain,
                                    codec::ChunkDecoder& decoder) {
  const uint64_t plain_begin = layout.chunk(run.first).plain_offset;
  const uint64_t stored_begin = layout.chunk(run.first).stored_offset;
  std::vector<ChunkFailure> failures;
  for (uint32_t position = run.first; position < run.end; ++position) {
    const LayoutChunk& chunk = layout.chunk(position);
    const ConstBytes from = stored.subspan(chunk.stored_offset - stored_begin, chunk.stored_size);
    const MutableBytes blocks = plain.subspan(chunk.plain_offset - plain_begin, chunk.block_end() - chunk.plain_offset);
    try {
      DecodeChunk(layout, chunk, from, blocks.first(chunk.plain_size), decoder);
    } catch (const Error& e) {
      failures.push_back({position, e});
    }
    std::fill(blocks.begin() + chunk.plain_size, blocks.end(), std::byte{0});
  }
  return failures;
}

}  // namespace sluice::cache
