// SPDX-License-Identifier: Apache-2.0
#pragma once
// Some chunks on their way from a layer to a blob: the unit that goes to a worker and comes back.  Owned by one thread
// at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "codec/chunk_codec.h"
#include "convert/chunk_dictionary.h"
#include "image/tree.h"

namespace sluice::convert {

class ChunkBatch {
 public:
  enum class Content : uint8_t {
    kPending,     // not processed yet
    kHole,        // all zeros
    kKnown,       // the dictionary had it when the batch was processed: no stored bytes
    kPlain,       // stored as it is: compression does not gain
    kCompressed,  // stored compressed
  };

  struct Item {
    image::InodeId file{};
    size_t position = 0;      // in Inode::chunks of the file
    size_t plain_offset = 0;  // in the batch's plain bytes
    uint32_t plain_size = 0;
    // Set by Process:
    Content content = Content::kPending;
    Digest digest;
    size_t stored_offset = 0;  // in stored()
    uint32_t stored_size = 0;
  };

  // Room for `capacity` plain bytes and as many stored ones.
  explicit ChunkBatch(size_t capacity);

  // Whether a chunk of `plain_size` bytes can be appended.
  bool Fits(uint32_t plain_size) const noexcept { return capacity_ - plain_used_ >= plain_size; }
  // Memory for the plain bytes of a chunk that fits; filled by the caller before Process.
  MutableBytes Append(image::InodeId file, size_t position, uint32_t plain_size);
  void Clear() noexcept;

  // Digests and compresses every chunk.  The stored bytes of one chunk follow those of the one before.
  void Process(codec::ChunkEncoder& encoder, DigestAlgorithm digester, const ChunkDictionary& known);

  bool empty() const noexcept { return items_.empty(); }
  const std::vector<Item>& items() const noexcept { return items_; }
  ConstBytes stored() const noexcept { return {stored_.get(), stored_used_}; }

 private:
  void ProcessItem(Item& item, codec::ChunkEncoder& encoder, DigestAlgorithm digester, const ChunkDictionary& known);

  const size_t capacity_;
  const std::unique_ptr<std::byte[]> plain_;
  const std::unique_ptr<std::byte[]> stored_;
  size_t plain_used_ = 0;
  size_t stored_used_ = 0;
  std::vector<Item> items_;
};

}  // namespace sluice::convert
