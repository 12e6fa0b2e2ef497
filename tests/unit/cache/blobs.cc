// SPDX-License-Identifier: Apache-2.0
#include "blobs.h"

#include <algorithm>

#include "base/limits.h"
#include "base/rng.h"
#include "codec/chunk_codec.h"

namespace sluice::cache::testing {

TestBlob MakeBlob(const TestBlobOptions& options) {
  Rng rng(options.seed);
  codec::ChunkEncoder encoder(options.compression, 1);
  TestBlob made{
      .blob = {.id = BlobId::Parse(DigestOf(DigestAlgorithm::kSha256, AsBytes(std::to_string(options.seed))).Hex()),
               .chunk_count = options.chunks,
               .compression = options.compression,
               .digester = DigestAlgorithm::kBlake3}};
  for (uint32_t index = 0; index < options.chunks; ++index) {
    const auto size = static_cast<uint32_t>(options.min_size + rng.Below(options.max_size - options.min_size + 1));
    const bool random = index % 3 == 2;
    std::vector<std::byte> plain(size);
    for (size_t i = 0; i < size; ++i) plain[i] = std::byte(random ? rng.Next() : (i / 16 + index) & 0xFF);
    std::vector<std::byte> packed(size);
    const auto packed_size = encoder.Encode(plain, packed);
    const ConstBytes stored = packed_size ? ConstBytes(packed).first(*packed_size) : ConstBytes(plain);

    made.blob.chunks.push_back(image::rafs::Chunk{.index = index,
                                                  .digest = DigestOf(DigestAlgorithm::kBlake3, plain),
                                                  .plain_offset = made.plain.size(),
                                                  .stored_offset = made.stored.size(),
                                                  .plain_size = size,
                                                  .stored_size = static_cast<uint32_t>(stored.size()),
                                                  .compressed = packed_size.has_value()});
    made.stored.insert(made.stored.end(), stored.begin(), stored.end());
    made.plain.insert(made.plain.end(), plain.begin(), plain.end());
    made.plain.resize(AlignUp(made.plain.size(), kBlockSize));
  }
  made.blob.stored_size = made.stored.size();
  made.blob.plain_size = made.plain.size();
  return made;
}

}  // namespace sluice::cache::testing
