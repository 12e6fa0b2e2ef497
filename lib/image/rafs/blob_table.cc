// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/blob_table.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "image/rafs/blob_meta.h"

namespace sluice::image::rafs {
namespace {

// struct RafsV6Blob
constexpr uint64_t kIdAt = 0;
constexpr uint64_t kIndexAt = 64;
constexpr uint64_t kChunkSizeAt = 68;
constexpr uint64_t kChunkCountAt = 72;
constexpr uint64_t kCompressionAt = 76;
constexpr uint64_t kDigesterAt = 80;
constexpr uint64_t kFeaturesAt = 84;
constexpr uint64_t kStoredSizeAt = 88;
constexpr uint64_t kPlainSizeAt = 96;
constexpr uint64_t kTocSizeAt = 104;
constexpr uint64_t kCiCompressionAt = 108;
constexpr uint64_t kCiOffsetAt = 112;
constexpr uint64_t kCiStoredSizeAt = 120;
constexpr uint64_t kCiPlainSizeAt = 128;
constexpr uint64_t kTocDigestAt = 136;
constexpr uint64_t kMetaDigestAt = 168;
constexpr uint64_t kMetaSizeAt = 200;
constexpr uint64_t kCipherIvAt = 208;
constexpr uint64_t kCipherAt = 216;

constexpr uint32_t kMaxCipher = 1;  // none, AES-128-XTS

constexpr uint32_t kKnownIncompat = 0x0FFF;

// Features of which the chunk info holds more than the chunk table: an error until a build can read it.
constexpr struct {
  uint32_t feature;
  std::string_view name;
} kUnserved[] = {
    {blob_feature::kBatch, "batch"},       {blob_feature::kZran, "zran"},   {blob_feature::kEncrypted, "encrypted"},
    {blob_feature::kSeparate, "separate"}, {blob_feature::kTarfs, "tarfs"}, {blob_feature::kExternal, "external"},
};

// One entry under inspection: its errors name blob and field.
class Entry {
 public:
  Entry(ConstBytes bytes, uint32_t position) noexcept : bytes_(bytes), position_(position) {}

  template <typename T>
  T Load(uint64_t at) const noexcept {
    return LoadLe<T>(bytes_.data() + at);
  }
  Digest LoadDigest(uint64_t at) const noexcept {
    Digest digest;
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(at), digest.bytes.size(), digest.bytes.begin());
    return digest;
  }
  template <typename T>
  T LoadAtMost(uint64_t at, uint64_t limit, std::string_view field) const {
    const T value = Load<T>(at);
    if (value > limit) Throw(Errc::kCorrupt, "blob {}: field '{}' is {}, above {}", position_, field, value, limit);
    return value;
  }
  void Expect(uint64_t at, uint32_t expected, std::string_view field) const {
    if (const auto value = Load<uint32_t>(at); value != expected)
      Throw(Errc::kCorrupt, "blob {}: field '{}' is {} instead of {}", position_, field, value, expected);
  }
  Compression LoadCompression(uint64_t at, std::string_view field) const {
    return static_cast<Compression>(LoadAtMost<uint32_t>(at, static_cast<uint32_t>(Compression::kZstd), field));
  }
  bool LacksId() const {
    const auto features = Load<uint32_t>(kFeaturesAt);
    return (features & blob_feature::kInlinedFsMeta) != 0 || (features & blob_feature::kCapTarToc) == 0;
  }
  BlobId LoadId(const std::optional<BlobId>& inlined_id) const {
    if (inlined_id && LacksId()) return *inlined_id;
    try {
      return BlobId::Parse(AsText(bytes_.subspan(kIdAt, kBlobIdSize)));
    } catch (const Error& e) {
      Throw(Errc::kCorrupt, "blob {}: field 'blob_id': {}", position_, e.message());
    }
  }

 private:
  ConstBytes bytes_;
  uint32_t position_;
};

uint32_t CheckFeatures(uint32_t features, uint32_t position) {
  if ((features & blob_feature::kIncompatMask & ~kKnownIncompat) != 0)
    Throw(Errc::kUnsupported, "blob {}: field 'features' is {:#x}, bits above {:#x} are not known", position, features,
          kKnownIncompat);
  if ((features & blob_feature::kAligned) == 0)
    Throw(Errc::kUnsupported, "blob {}: field 'features' is {:#x}, chunks are not aligned to blocks", position,
          features);
  return features;
}

// The size of the plain chunk info follows from the number of chunks; contexts may come behind V2 entries.
void CheckChunkInfoSize(const Blob& blob, uint32_t position) {
  constexpr uint32_t kWithContexts = blob_feature::kBatch | blob_feature::kZran | blob_feature::kEncrypted;
  const bool v2 = (blob.features & blob_feature::kChunkInfoV2) != 0;
  const bool contexts = (blob.features & kWithContexts) != 0;
  const uint64_t needed = blob.chunk_count * (v2 ? kChunkInfoV2Size : kChunkInfoV1Size);
  const bool exact = !contexts && (blob.features & blob_feature::kChunkDictGenerated) == 0;
  if (blob.ci_plain_size < needed || (exact && blob.ci_plain_size != needed))
    Throw(Errc::kCorrupt, "blob {}: field 'ci_uncompressed_size' is {}, {} chunks need {}", position,
          blob.ci_plain_size, blob.chunk_count, needed);
  if (blob.ci_stored_size > blob.ci_plain_size)
    Throw(Errc::kCorrupt, "blob {}: field 'ci_compressed_size' is {}, above the plain {}", position,
          blob.ci_stored_size, blob.ci_plain_size);
}

}  // namespace

Blob ParseBlobEntry(ConstBytes bytes, uint32_t position, uint32_t chunk_size, const std::optional<BlobId>& inlined_id) {
  const Entry entry(Slice(bytes, 0, kBlobEntrySize, "blob table"), position);
  entry.Expect(kIndexAt, position, "blob_index");
  entry.Expect(kChunkSizeAt, chunk_size, "chunk_size");
  Blob blob{.id = entry.LoadId(inlined_id)};
  blob.chunk_count = entry.LoadAtMost<uint32_t>(kChunkCountAt, kMaxChunksPerBlob, "chunk_count");
  blob.compression = entry.LoadCompression(kCompressionAt, "compression_algo");
  blob.digester = entry.LoadAtMost<uint32_t>(kDigesterAt, 1, "digest_algo") == 0 ? DigestAlgorithm::kBlake3
                                                                                 : DigestAlgorithm::kSha256;
  blob.features = CheckFeatures(entry.Load<uint32_t>(kFeaturesAt), position);
  blob.stored_size = entry.LoadAtMost<uint64_t>(kStoredSizeAt, kMaxStoredBlobSize, "compressed_size");
  blob.plain_size = entry.LoadAtMost<uint64_t>(kPlainSizeAt, kMaxPlainBlobSize, "uncompressed_size");
  blob.toc_size = entry.Load<uint32_t>(kTocSizeAt);
  blob.toc_digest = entry.LoadDigest(kTocDigestAt);
  blob.ci_compression = entry.LoadCompression(kCiCompressionAt, "ci_compressor");
  blob.ci_offset = entry.LoadAtMost<uint64_t>(kCiOffsetAt, kMaxStoredBlobSize, "ci_offset");
  blob.ci_stored_size = entry.Load<uint64_t>(kCiStoredSizeAt);
  blob.ci_plain_size = entry.Load<uint64_t>(kCiPlainSizeAt);
  blob.meta_digest = entry.LoadDigest(kMetaDigestAt);
  blob.meta_size = entry.Load<uint64_t>(kMetaSizeAt);
  blob.cipher_iv = entry.Load<uint64_t>(kCipherIvAt);
  blob.cipher = entry.LoadAtMost<uint32_t>(kCipherAt, kMaxCipher, "cipher_algo");
  CheckChunkInfoSize(blob, position);
  return blob;
}

bool LacksId(ConstBytes entry) { return Entry(Slice(entry, 0, kBlobEntrySize, "blob table"), 0).LacksId(); }

void StoreBlobId(const BlobId& id, MutableBytes entry) {
  std::copy_n(AsBytes(id.hex()).begin(), kBlobIdSize, entry.begin() + static_cast<ptrdiff_t>(kIdAt));
}

void StoreBlobEntry(const Blob& blob, uint32_t position, uint32_t chunk_size, MutableBytes to) {
  std::fill_n(to.begin(), kBlobEntrySize, std::byte{0});
  std::byte* at = to.data();
  StoreBlobId(blob.id, to);
  StoreLe<uint32_t>(at + kIndexAt, position);
  StoreLe<uint32_t>(at + kChunkSizeAt, chunk_size);
  StoreLe<uint32_t>(at + kChunkCountAt, blob.chunk_count);
  StoreLe<uint32_t>(at + kCompressionAt, static_cast<uint32_t>(blob.compression));
  StoreLe<uint32_t>(at + kDigesterAt, blob.digester == DigestAlgorithm::kBlake3 ? 0 : 1);
  StoreLe<uint32_t>(at + kFeaturesAt, blob.features);
  StoreLe<uint64_t>(at + kStoredSizeAt, blob.stored_size);
  StoreLe<uint64_t>(at + kPlainSizeAt, blob.plain_size);
  StoreLe<uint32_t>(at + kTocSizeAt, blob.toc_size);
  StoreLe<uint32_t>(at + kCiCompressionAt, static_cast<uint32_t>(blob.ci_compression));
  StoreLe<uint64_t>(at + kCiOffsetAt, blob.ci_offset);
  StoreLe<uint64_t>(at + kCiStoredSizeAt, blob.ci_stored_size);
  StoreLe<uint64_t>(at + kCiPlainSizeAt, blob.ci_plain_size);
  std::copy(blob.toc_digest.bytes.begin(), blob.toc_digest.bytes.end(), at + kTocDigestAt);
  std::copy(blob.meta_digest.bytes.begin(), blob.meta_digest.bytes.end(), at + kMetaDigestAt);
  StoreLe<uint64_t>(at + kMetaSizeAt, blob.meta_size);
  StoreLe<uint64_t>(at + kCipherIvAt, blob.cipher_iv);
  StoreLe<uint32_t>(at + kCipherAt, blob.cipher);
}

void RequireServable(const Blob& blob) {
  for (const auto& [feature, name] : kUnserved)
    if ((blob.features & feature) != 0)
      Throw(Errc::kUnsupported, "blob {}: serving blobs with feature '{}' is not supported", blob.id.hex(), name);
}

}  // namespace sluice::image::rafs
