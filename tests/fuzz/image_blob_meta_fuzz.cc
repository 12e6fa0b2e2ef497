// SPDX-License-Identifier: Apache-2.0
// The input is a chunk info as in a cache file: entries and contexts, then the 4096-byte header.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/error.h"
#include "image/rafs/blob_meta.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  const ConstBytes bytes = std::as_bytes(std::span(data, size));
  if (size < image::rafs::kBlobMetaHeaderSize) return 0;
  try {
    const auto header = image::rafs::ParseBlobMetaHeader(bytes.last(image::rafs::kBlobMetaHeaderSize), "fuzz");
    SLUICE_CHECK(image::rafs::ParseBlobMetaHeader(image::rafs::BuildBlobMetaHeader(header), "built") == header,
                 "a header survives being built again");
    const auto meta = image::rafs::ParseBlobMeta(header, bytes.first(size - image::rafs::kBlobMetaHeaderSize), "fuzz");
    SLUICE_CHECK(meta.chunks.size() == header.chunk_count, "every chunk was parsed");
  } catch (const Error&) {
  }
  return 0;
}
