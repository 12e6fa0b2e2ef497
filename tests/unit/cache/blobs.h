// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blobs for the tests of the cache: real digests, real compression, made from a seed.

#include <cstdint>
#include <vector>

#include "image/rafs/image.h"

namespace sluice::cache::testing {

struct TestBlob {
  image::rafs::Blob blob;         // as a bootstrap describes it
  std::vector<std::byte> stored;  // what the backend holds
  std::vector<std::byte> plain;   // what the cache file holds when it is complete; zeros between the chunks

  ConstBytes Plain(uint64_t offset, uint64_t length) const { return ConstBytes(plain).subspan(offset, length); }
};

struct TestBlobOptions {
  uint32_t chunks = 16;
  uint32_t min_size = 1;  // of a chunk, plain
  uint32_t max_size = 20000;
  uint64_t seed = 1;
  Compression compression = Compression::kZstd;
};

// Every third chunk does not compress and is stored as it is.
TestBlob MakeBlob(const TestBlobOptions& options = {});

}  // namespace sluice::cache::testing
