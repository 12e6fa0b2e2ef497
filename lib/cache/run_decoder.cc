// SPDX-License-Identifier: Apache-2.0
#include "cache/run_decoder.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::cache {
namespace {

void DecodeChunk(const BlobLayout& layout, const LayoutChunk& chunk, ConstBytes stored, MutableBytes plain,
                 codec::ChunkDecoder& decoder) {
  decoder.Decode(chunk.compressed ? layout.compression() : Compression::kNone, stored, plain);
  const Digest digest = DigestOf(layout.digester(), plain);
  if (digest != chunk.digest)
    Throw(Errc::kCorrupt, "the {} digest of {} bytes is {}, not {}", Name(layout.digester()), plain.size(),
          digest.Hex(), chunk.digest.Hex());
}

}  // namespace

std::string NameOf(const BlobLayout& layout, ChunkSpan run) {
  const uint32_t first = layout.chunk(run.first).index;
  const uint32_t last = layout.chunk(run.end - 1).index;
  if (first == last) return fmt::format("blob '{}', chunk {}", layout.id().hex(), first);
  return fmt::format("blob '{}', chunks {} to {}", layout.id().hex(), first, last);
}

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
    } catch (Error& e) {
      e.AddContext(NameOf(layout, {position, position + 1}));
      failures.push_back({position, e});
    }
    std::fill(blocks.begin() + chunk.plain_size, blocks.end(), std::byte{0});
  }
  return failures;
}

}  // namespace sluice::cache
