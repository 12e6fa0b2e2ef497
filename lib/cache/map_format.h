// SPDX-License-Identifier: Apache-2.0
#pragma once
// The map file as bytes: a header that ties it to one data file, then one page of ready bits per 32512 chunks
// (docs/formats/cache.md).  A page that is torn, foreign or damaged says nothing: its chunks are missing.  Pure.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/limits.h"
#include "cache/blob_layout.h"
#include "cache/chunk_map.h"

namespace sluice::cache {

constexpr uint64_t kMapPageSize = kBlockSize;
// A page is its bits, then the digest that seals them.
constexpr uint64_t kMapSealSize = sizeof(Digest::bytes);
static_assert(ChunkMap::kPageWords * sizeof(ChunkSet::Word) + kMapSealSize == kMapPageSize);

constexpr uint32_t MapPageCount(uint32_t chunk_count) noexcept {
  constexpr uint32_t kPageBits = ChunkMap::kPageWords * ChunkSet::kWordBits;
  return (chunk_count + kPageBits - 1) / kPageBits;
}
// Bytes of the whole map file; the header is its first page.
constexpr uint64_t MapFileSize(uint32_t chunk_count) noexcept {
  return (1 + uint64_t{MapPageCount(chunk_count)}) * kMapPageSize;
}
constexpr uint64_t MapPageOffset(uint32_t page_number) noexcept { return (1 + uint64_t{page_number}) * kMapPageSize; }

// Names one map file among all that ever were: the digest of its header, which holds a random number.
using MapIdentity = Digest;

// Fills `page` (kMapPageSize bytes).  `nonce`: random, so that a page of an earlier map of the same blob is foreign.
MapIdentity EncodeMapHeader(const BlobLayout& layout, uint64_t nonce, MutableBytes page);
// nullopt: no intact header of a map for this layout.
std::optional<MapIdentity> DecodeMapHeader(const BlobLayout& layout, ConstBytes page);

// Fills `bytes` (kMapPageSize bytes).
void EncodeMapPage(const MapIdentity& identity, const ChunkMap::Page& page, MutableBytes bytes);
// Adds the chunks that page `number` calls ready to `ready`; nothing when the page is not intact.
void DecodeMapPage(const MapIdentity& identity, uint32_t number, uint32_t chunk_count, ConstBytes bytes,
                   ChunkSet& ready);

}  // namespace sluice::cache
