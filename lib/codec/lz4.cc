// SPDX-License-Identifier: Apache-2.0
#include "codec/lz4.h"

#include <lz4.h>

#include <climits>

#include "base/check.h"
#include "base/error.h"

namespace sluice::codec {
namespace {

constexpr int kAcceleration = 1;  // the library's default

const char* Chars(ConstBytes bytes) noexcept { return reinterpret_cast<const char*>(bytes.data()); }
char* Chars(MutableBytes bytes) noexcept { return reinterpret_cast<char*>(bytes.data()); }

}  // namespace

Lz4Encoder::Lz4Encoder() : state_(static_cast<size_t>(LZ4_sizeofState())) {}

std::optional<size_t> Lz4Encoder::Encode(ConstBytes plain, MutableBytes dst) {
  SLUICE_CHECK(plain.size() <= LZ4_MAX_INPUT_SIZE && dst.size() <= INT_MAX, "a chunk fits into an lz4 block");
  const int size = LZ4_compress_fast_extState(state_.data(), Chars(plain), Chars(dst), static_cast<int>(plain.size()),
                                              static_cast<int>(dst.size()), kAcceleration);
  if (size <= 0) return std::nullopt;
  return static_cast<size_t>(size);
}

void DecodeLz4(ConstBytes stored, MutableBytes plain) {
  SLUICE_CHECK(stored.size() <= INT_MAX && plain.size() <= INT_MAX, "a chunk fits into an lz4 block");
  const int size =
      LZ4_decompress_safe(Chars(stored), Chars(plain), static_cast<int>(stored.size()), static_cast<int>(plain.size()));
  if (size < 0)
    Throw(Errc::kCorrupt, "lz4 chunk of {} bytes is damaged or holds more than {} bytes", stored.size(), plain.size());
  if (static_cast<size_t>(size) != plain.size())
    Throw(Errc::kCorrupt, "lz4 chunk of {} bytes holds {} bytes instead of {}", stored.size(), size, plain.size());
}

}  // namespace sluice::codec
