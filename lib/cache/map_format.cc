// SPDX-License-Identifier: Apache-2.0
#include "cache/map_format.h"

#include <algorithm>

#include "base/check.h"

namespace sluice::cache {
namespace {

constexpr std::string_view kMagic = "SLUICMAP";
constexpr uint32_t kVersion = 1;

// Header fields; the rest up to the seal is zero.
constexpr size_t kVersionAt = 8;
constexpr size_t kChunkCountAt = 12;
constexpr size_t kNonceAt = 16;
constexpr size_t kPlainSizeAt = 24;
constexpr size_t kBlobIdAt = 32;
constexpr size_t kLayoutAt = 64;
constexpr size_t kSealAt = kMapPageSize - kMapSealSize;

void Put(MutableBytes page, size_t at, const Digest& digest) {
  std::copy(digest.bytes.begin(), digest.bytes.end(), page.begin() + static_cast<ptrdiff_t>(at));
}

bool Holds(ConstBytes page, size_t at, const Digest& digest) {
  return std::equal(digest.bytes.begin(), digest.bytes.end(), page.begin() + static_cast<ptrdiff_t>(at));
}

Digest HeaderSeal(ConstBytes page) { return DigestOf(DigestAlgorithm::kBlake3, page.first(kSealAt)); }

Digest PageSeal(const MapIdentity& identity, uint32_t number, ConstBytes page) {
  Hasher hasher(DigestAlgorithm::kBlake3);
  std::byte place[4];
  StoreLe<uint32_t>(place, number);
  hasher.Update(identity.bytes);
  hasher.Update(place);
  hasher.Update(page.first(kSealAt));
  return hasher.Finish();
}

}  // namespace

MapIdentity EncodeMapHeader(const BlobLayout& layout, uint64_t nonce, MutableBytes page) {
  SLUICE_CHECK(page.size() == kMapPageSize, "a header is one page");
  std::fill(page.begin(), page.end(), std::byte{0});
  const ConstBytes magic = AsBytes(kMagic);
  std::copy(magic.begin(), magic.end(), page.begin());
  StoreLe<uint32_t>(&page[kVersionAt], kVersion);
  StoreLe<uint32_t>(&page[kChunkCountAt], layout.all().size());
  StoreLe<uint64_t>(&page[kNonceAt], nonce);
  StoreLe<uint64_t>(&page[kPlainSizeAt], layout.plain_size());
  Put(page, kBlobIdAt, Digest::FromHex(layout.id().hex()));
  Put(page, kLayoutAt, layout.digest());
  const Digest seal = HeaderSeal(page);
  Put(page, kSealAt, seal);
  return seal;
}

std::optional<MapIdentity> DecodeMapHeader(const BlobLayout& layout, ConstBytes page) {
  if (page.size() != kMapPageSize || AsText(page.first(kMagic.size())) != kMagic) return std::nullopt;
  const Digest seal = HeaderSeal(page);
  const bool ours = Holds(page, kSealAt, seal) && LoadLe<uint32_t>(&page[kVersionAt]) == kVersion &&
                    LoadLe<uint32_t>(&page[kChunkCountAt]) == layout.all().size() &&
                    LoadLe<uint64_t>(&page[kPlainSizeAt]) == layout.plain_size() &&
                    Holds(page, kBlobIdAt, Digest::FromHex(layout.id().hex())) &&
                    Holds(page, kLayoutAt, layout.digest());
  if (!ours) return std::nullopt;
  return seal;
}

void EncodeMapPage(const MapIdentity& identity, const ChunkMap::Page& page, MutableBytes bytes) {
  SLUICE_CHECK(bytes.size() == kMapPageSize, "a map page has one size");
  for (size_t i = 0; i < page.words.size(); ++i) StoreLe(&bytes[i * sizeof(ChunkSet::Word)], page.words[i]);
  Put(bytes, kSealAt, PageSeal(identity, page.number, bytes));
}

void DecodeMapPage(const MapIdentity& identity, uint32_t number, uint32_t chunk_count, ConstBytes bytes,
                   ChunkSet& ready) {
  if (bytes.size() != kMapPageSize || !Holds(bytes, kSealAt, PageSeal(identity, number, bytes))) return;
  const size_t begin = size_t{number} * ChunkMap::kPageWords;
  auto& words = ready.words();
  for (size_t i = 0; i < ChunkMap::kPageWords && begin + i < words.size(); ++i)
    words[begin + i] |= LoadLe<ChunkSet::Word>(&bytes[i * sizeof(ChunkSet::Word)]);
  // Bits past the last chunk are not ours to believe.
  if (const uint32_t rest = chunk_count % ChunkSet::kWordBits; rest != 0)
    words.back() &= (ChunkSet::Word{1} << rest) - 1;
}

}  // namespace sluice::cache
