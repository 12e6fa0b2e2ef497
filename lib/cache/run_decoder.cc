// SPDX-License-Identifier: Apache-2.0
#include "cache/run_decoder.h"

#include <algorithm>

namespace sluice::cache {
namespace {

void Append(std::vector<iovec>& parts, MutableBytes part) {
  if (part.empty()) return;
  if (!parts.empty() && static_cast<std::byte*>(parts.back().iov_base) + parts.back().iov_len == part.data()) {
    parts.back().iov_len += part.size();
  } else {
    parts.push_back({part.data(), part.size()});
  }
}

void Verify(const BlobLayout& layout, const LayoutChunk& chunk, ConstBytes plain) {
  const Digest digest = DigestOf(layout.digester(), plain);
  if (digest != chunk.digest)
    Throw(Errc::kCorrupt, "the {} digest of its {} bytes begins with {}, not with {}", Name(layout.digester()),
          plain.size(), digest.Hex().substr(0, 16), chunk.digest.Hex().substr(0, 16));
}

}  // namespace

std::vector<iovec> PlacesOf(const BlobLayout& layout, ChunkSpan run, MutableBytes stored, MutableBytes plain) {
  const uint64_t plain_begin = layout.chunk(run.first).plain_offset;
  const uint64_t stored_begin = layout.chunk(run.first).stored_offset;
  std::vector<iovec> parts;
  uint64_t at = 0;  // of `stored`: what comes before has its place
  for (uint32_t position = run.first; position < run.end; ++position) {
    const LayoutChunk& chunk = layout.chunk(position);
    if (chunk.compressed) continue;
    const uint64_t begin = chunk.stored_offset - stored_begin;
    Append(parts, stored.subspan(at, begin - at));
    Append(parts, plain.subspan(chunk.plain_offset - plain_begin, chunk.plain_size));
    at = begin + chunk.stored_size;
  }
  Append(parts, stored.subspan(at));
  return parts;
}

std::vector<ChunkFailure> DecodeRun(const BlobLayout& layout, ChunkSpan run, ConstBytes stored, MutableBytes plain,
                                    codec::ChunkDecoder& decoder, Uncompressed uncompressed) {
  const uint64_t plain_begin = layout.chunk(run.first).plain_offset;
  const uint64_t stored_begin = layout.chunk(run.first).stored_offset;
  std::vector<ChunkFailure> failures;
  for (uint32_t position = run.first; position < run.end; ++position) {
    const LayoutChunk& chunk = layout.chunk(position);
    const MutableBytes blocks = plain.subspan(chunk.plain_offset - plain_begin, chunk.block_end() - chunk.plain_offset);
    const MutableBytes bytes = blocks.first(chunk.plain_size);
    try {
      if (uncompressed == Uncompressed::kStored || chunk.compressed) {
        const ConstBytes from = stored.subspan(chunk.stored_offset - stored_begin, chunk.stored_size);
        decoder.Decode(chunk.compressed ? layout.compression() : Compression::kNone, from, bytes);
      }
      Verify(layout, chunk, bytes);
    } catch (const Error& e) {
      failures.push_back({position, e});
    }
    std::fill(blocks.begin() + chunk.plain_size, blocks.end(), std::byte{0});
  }
  return failures;
}

}  // namespace sluice::cache
