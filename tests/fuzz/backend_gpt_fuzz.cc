// SPDX-License-Identifier: Apache-2.0
// The input is a disk behind its first sector; then its entries once more, with a checksum that fits.

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/gpt.h"
#include "base/check.h"
#include "base/error.h"

namespace {

using namespace sluice;
using namespace sluice::backend;

void ParseEntries(const GptHeader& header, ConstBytes entries) {
  for (const BlobPartition& partition : ParseGptEntries(header, entries, "disk")) {
    SLUICE_CHECK(partition.id.size() == 64 || partition.id.size() == 32, "an id is whole, or the first half");
    SLUICE_CHECK(!partition.range.empty() && partition.range.offset <= INT64_MAX - partition.range.length,
                 "a partition has a place on a disk");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ConstBytes bytes = std::as_bytes(std::span(data, size));
  if (size < kSectorSize) return 0;
  try {
    const GptHeader header = ParseGptHeader(bytes.first(kSectorSize), "disk");
    ParseEntries(header, Slice(bytes, header.entries_offset - kSectorSize, header.entries_size, "disk"));
  } catch (const Error&) {
  }
  const size_t whole = std::min<size_t>(size - kSectorSize, kMaxGptEntriesBytes) / 128 * 128;
  const ConstBytes entries = bytes.subspan(kSectorSize, whole);
  GptHeader header{.entries_size = whole, .entry_size = 128};
  header.entries_crc =
      static_cast<uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(entries.data()), static_cast<uInt>(whole)));
  try {
    ParseEntries(header, entries);
  } catch (const Error&) {
  }
  return 0;
}
