// SPDX-License-Identifier: Apache-2.0
#pragma once
// The GUID partition table (UEFI 2.10, chapter 5.3) of a disk whose partitions are blobs.  Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/range.h"

namespace sluice::backend {

constexpr uint64_t kSectorSize = 512;               // the only one that nydus makes
constexpr uint64_t kGptHeaderOffset = kSectorSize;  // behind the protective MBR; the backup at the end is not used

struct GptHeader {
  uint64_t entries_offset = 0;  // bytes
  uint64_t entries_size = 0;    // bytes, at most kMaxGptEntriesBytes
  uint32_t entry_size = 0;
  uint32_t entries_crc = 0;
};
constexpr uint64_t kMaxGptEntriesBytes = 1 << 20;

// `sector`: the kSectorSize bytes at kGptHeaderOffset.  Throws kCorrupt naming `what`: no signature, a wrong checksum,
// sizes out of range.
GptHeader ParseGptHeader(ConstBytes sector, std::string_view what);

// How nydus-localdisk writes the id of a blob (64 hexadecimal digits) into a partition: the first half is the
// partition's name, the second one its GUID; in its old format the name is all there is.
struct BlobPartition {
  std::string id;   // 64 lower-case digits, or the first 32 of them
  ByteRange range;  // bytes of the device

  bool operator==(const BlobPartition&) const = default;
};

// `entries`: what the header names.  Partitions with other names are left out.  Throws kCorrupt naming `what`: a wrong
// checksum, a partition that ends before it begins or behind 2^63, two of one name.
std::vector<BlobPartition> ParseGptEntries(const GptHeader& header, ConstBytes entries, std::string_view what);

}  // namespace sluice::backend
