// SPDX-License-Identifier: Apache-2.0
#pragma once
// From an image to the bytes of its RAFS v6 bootstrap.

#include <cstddef>
#include <vector>

#include "image/rafs/image.h"

namespace sluice::image::rafs {

// The same image gives the same bytes.  Inodes that no directory names are left out; Blob::mapped_block is not read but
// assigned.  Throws kInvalidArgument naming inode or blob for what the format cannot express (names, xattrs, chunk
// lists that contradict sizes, more than 254 blobs, blobs without data, 2^24 chunks), kLimit when the result would
// exceed kMaxBootstrapSize.
std::vector<std::byte> BuildBootstrap(const Image& image);

}  // namespace sluice::image::rafs
