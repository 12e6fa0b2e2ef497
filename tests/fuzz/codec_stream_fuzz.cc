// SPDX-License-Identifier: Apache-2.0
// The input is a compressed stream, and a chunk.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "codec/chunk_codec.h"
#include "codec/stream_decoder.h"
#include "support/streams.h"

namespace {

using namespace sluice;

// The plain bytes, or nullopt when the stream is refused.
std::optional<std::string> Decode(const std::string& stored, size_t piece, size_t room) {
  test::MemorySource source(stored, piece);
  codec::StreamDecoder decoder(source, "stream", {.max_plain_bytes = 1 * kMiB});
  try {
    return test::ReadAll(decoder, room);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string stored(reinterpret_cast<const char*>(data), size);
  SLUICE_CHECK(Decode(stored, SIZE_MAX, 65536) == Decode(stored, 7, 333), "a stream is the same however it is cut");

  codec::ChunkDecoder decoder;
  std::vector<std::byte> plain(64 * kKiB);
  for (const Compression compression : {Compression::kZstd, Compression::kLz4Block, Compression::kNone}) {
    try {
      decoder.Decode(compression, AsBytes(stored), plain);
    } catch (const Error&) {
    }
  }
  return 0;
}
