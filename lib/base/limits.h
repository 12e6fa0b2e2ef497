// SPDX-License-Identifier: Apache-2.0
#pragma once
// The limits that more than one layer has to agree on.  A limit that one class owns stands in that class.

#include <cstdint>

namespace sluice {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kGiB = 1024 * kMiB;

// EROFS block of every image that we write and serve; also the granule of plain offsets in a blob.
constexpr uint64_t kBlockSize = 4096;

// RAFS v6 chunk sizes: powers of two in [kMinChunkSize, kMaxChunkSize] (nydus RAFS_MAX_CHUNK_SIZE).
constexpr uint64_t kMinChunkSize = 4 * kKiB;
constexpr uint64_t kMaxChunkSize = 16 * kMiB;

// A bootstrap larger than this is refused: 1 GiB holds the metadata of some five million files.
constexpr uint64_t kMaxBootstrapSize = 1 * kGiB;

// POSIX limits that a tree keeps (Linux limits.h; EROFS name length).
constexpr uint64_t kMaxNameLength = 255;
constexpr uint64_t kMaxSymlinkLength = 4095;

}  // namespace sluice
