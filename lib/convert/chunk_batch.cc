// SPDX-License-Identifier: Apache-2.0
#include "convert/chunk_batch.h"

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace sluice::convert {
namespace {

// memcmp of the bytes with themselves, shifted by one: stops at the first that differs, runs at memory speed otherwise.
bool IsZero(ConstBytes bytes) noexcept {
  return bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace

ChunkBatch::ChunkBatch(size_t capacity)
    : capacity_(capacity),
      plain_(std::make_unique_for_overwrite<std::byte[]>(capacity)),
      stored_(std::make_unique_for_overwrite<std::byte[]>(capacity)) {}

MutableBytes ChunkBatch::Append(image::InodeId file, size_t position, uint32_t plain_size) {
  SLUICE_CHECK(plain_size > 0 && Fits(plain_size), "the chunk fits its batch");
  items_.push_back({.file = file, .position = position, .plain_offset = plain_used_, .plain_size = plain_size});
  const MutableBytes plain(plain_.get() + plain_used_, plain_size);
  plain_used_ += plain_size;
  return plain;
}

void ChunkBatch::Clear() noexcept {
  plain_used_ = 0;
  stored_used_ = 0;
  items_.clear();
}

void ChunkBatch::Process(codec::ChunkEncoder& encoder, DigestAlgorithm digester, const ChunkDictionary& known) {
  for (Item& item : items_) ProcessItem(item, encoder, digester, known);
}

void ChunkBatch::ProcessItem(Item& item, codec::ChunkEncoder& encoder, DigestAlgorithm digester,
                             const ChunkDictionary& known) {
  const ConstBytes plain(plain_.get() + item.plain_offset, item.plain_size);
  if (IsZero(plain)) {
    item.content = Content::kHole;
    return;
  }
  item.digest = DigestOf(digester, plain);
  if (known.Find(item.digest, item.plain_size)) {
    item.content = Content::kKnown;
    return;
  }
  // The stored bytes of the batch are never more than the plain ones, so there is always room.
  const MutableBytes stored(stored_.get() + stored_used_, item.plain_size);
  const std::optional<size_t> compressed = encoder.Encode(plain, stored);
  if (!compressed) std::copy(plain.begin(), plain.end(), stored.begin());
  item.content = compressed ? Content::kCompressed : Content::kPlain;
  item.stored_offset = stored_used_;
  item.stored_size = compressed ? static_cast<uint32_t>(*compressed) : item.plain_size;
  stored_used_ += item.stored_size;
}

}  // namespace sluice::convert
