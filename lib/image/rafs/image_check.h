// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an image must keep so that a bootstrap can express it.  Part of the bootstrap builder.

#include <string_view>

#include "image/rafs/image.h"

namespace sluice::image::rafs {

// Both throw kInvalidArgument naming object, field and numbers.

// Chunk size and blobs with their chunks.
void CheckBlobs(const Image& image);

// One inode, found under `name`: without its xattrs, which XattrBodySize() checks.
void CheckInode(const Image& image, const Inode& inode, std::string_view name);

}  // namespace sluice::image::rafs
