// SPDX-License-Identifier: Apache-2.0
// The input is a whole blob; the parsers see its tail.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/error.h"
#include "image/rafs/toc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  const ConstBytes bytes = std::as_bytes(std::span(data, size));
  const ConstBytes tail = bytes.last(std::min<size_t>(size, image::rafs::kMaxTocSize));
  try {
    const auto toc = image::rafs::ParseToc(tail, size);
    for (const ByteRange& range : image::rafs::BlobIdRanges(size, toc))
      SLUICE_CHECK(range.offset <= size && range.length <= size - range.offset, "the hashed ranges lie in the blob");
  } catch (const Error&) {
  }
  try {
    const auto bootstrap = image::rafs::FindInlinedBootstrap(tail, size);
    SLUICE_CHECK(bootstrap.stored.offset <= size && bootstrap.stored.length <= size - bootstrap.stored.offset,
                 "the inlined bootstrap lies in the blob");
  } catch (const Error&) {
  }
  return 0;
}
