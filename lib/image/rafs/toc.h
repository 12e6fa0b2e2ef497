// SPDX-License-Identifier: Apache-2.0
#pragma once
// The table of contents at the end of a blob, what it says about the sections, and which bytes of a blob its id covers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/compression.h"
#include "base/digest.h"
#include "base/range.h"

namespace sluice::image::rafs {

constexpr uint64_t kTocEntrySize = 128;
constexpr uint64_t kMaxTocSize = 64 * 1024;  // with its tar header

struct TocEntry {
  std::string name;  // section_name::…, at most 16 bytes
  Compression compression = Compression::kNone;
  Digest plain_digest;  // sha256 of the decompressed section
  ByteRange stored;     // in the blob.  nydus 2.2 wrote a wrong offset for image.blob
  uint64_t plain_size = 0;

  bool operator==(const TocEntry&) const = default;
};

struct Toc {
  std::vector<TocEntry> entries;
  uint64_t size = 0;  // of entries and tar header (Blob::toc_size)
  Digest digest;      // sha256 of entries and tar header (Blob::toc_digest)

  const TocEntry* Find(std::string_view name) const noexcept;
};

// `tail` are the last bytes of a blob of `blob_size` bytes: min(blob_size, kMaxTocSize) are always enough.  nullopt:
// the blob does not end with a table of contents.  Throws kCorrupt naming entry and field; kLimit for a table above
// kMaxTocSize.
std::optional<Toc> ParseToc(ConstBytes tail, uint64_t blob_size);

// The entries and their tar header: the end of a blob.
std::vector<std::byte> BuildToc(const std::vector<TocEntry>& entries);

// The inlined bootstrap of a blob, found from the tail as for ParseToc.
struct InlinedBootstrap {
  ByteRange stored;  // in the blob
  Compression compression = Compression::kNone;
  uint64_t plain_size = 0;             // at most kMaxBootstrapSize
  std::optional<Digest> plain_digest;  // sha256; absent when the blob has no table of contents
};
// Throws kNotFound when there is none.
InlinedBootstrap FindInlinedBootstrap(ConstBytes tail, uint64_t blob_size);

// The parts of a blob whose sha256, one after the other, is the blob's id: everything but the chunk digest array, which
// nydus writes past its hasher.  Registry layer digests cover the whole file.
std::vector<ByteRange> BlobIdRanges(uint64_t blob_size, const std::optional<Toc>& toc);

}  // namespace sluice::image::rafs
