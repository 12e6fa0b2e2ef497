// SPDX-License-Identifier: Apache-2.0
#pragma once
// The RAFS v6 super block extension: 256 bytes at byte 1152, behind the EROFS super block.

#include <cstdint>

#include "base/bytes.h"
#include "base/compression.h"
#include "base/digest.h"
#include "base/range.h"

namespace sluice::image::rafs {

constexpr uint64_t kSuperBlockExtOffset = 1152;
constexpr uint64_t kSuperBlockExtSize = 256;

// RafsSuperFlags (nydus rafs/src/metadata/mod.rs) besides those of compression and digest.
namespace super_flag {
constexpr uint64_t kExplicitUidGid = 0x10;
constexpr uint64_t kHasXattr = 0x20;
constexpr uint64_t kInlinedChunkDigest = 0x100;
constexpr uint64_t kTarfs = 0x200;
constexpr uint64_t kEncryptionNone = 0x01000000;
constexpr uint64_t kEncryptionAes128Xts = 0x02000000;
}  // namespace super_flag

struct SuperBlockExt {
  uint64_t flags = 0;  // super_flag::…
  Compression compression = Compression::kZstd;
  DigestAlgorithm digester = DigestAlgorithm::kBlake3;
  uint32_t chunk_size = 0;
  ByteRange blob_table;
  ByteRange chunk_table;
  ByteRange prefetch_table;

  bool operator==(const SuperBlockExt&) const = default;
};

// Finds the extension in the bytes of a bootstrap.  What comes back has a valid chunk size, exactly one compressor and
// digester, and tables that lie inside `bootstrap`, behind the device slots' start, aligned, in whole entries and
// without overlap.  Throws kCorrupt naming the field; kUnsupported for tarfs.
SuperBlockExt ParseSuperBlockExt(ConstBytes bootstrap);

// Writes all 256 bytes to byte 1152 of `bootstrap`, which holds them.
void StoreSuperBlockExt(const SuperBlockExt& super, MutableBytes bootstrap);

}  // namespace sluice::image::rafs
