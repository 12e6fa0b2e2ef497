// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reading and writing little-endian structures in memory, with every offset checked.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice {

static_assert(std::endian::native == std::endian::little, "on-media structures are little endian; add swaps to port");

using ConstBytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline ConstBytes AsBytes(std::string_view text) noexcept { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view AsText(ConstBytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Loads a little-endian integer from unaligned memory of at least sizeof(T) bytes.
template <typename T>
requires std::is_integral_v<T> T LoadLe(const std::byte* from)
noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// Stores a little-endian integer to unaligned memory of at least sizeof(T) bytes.
template <typename T>
requires std::is_integral_v<T>
void StoreLe(std::byte* to, T value) noexcept { std::memcpy(to, &value, sizeof(T)); }

// `alignment` is a power of two.  The caller guarantees that value + alignment does not overflow.
constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) noexcept {
  return (value + alignment - 1) & ~(alignment - 1);
}
constexpr uint64_t AlignDown(uint64_t value, uint64_t alignment) noexcept { return value & ~(alignment - 1); }
constexpr bool IsAligned(uint64_t value, uint64_t alignment) noexcept { return (value & (alignment - 1)) == 0; }

// A bounded cursor over bytes that came from outside.  Reading past the end throws kCorrupt and names `what` and the
// field.
class ByteReader {
 public:
  // Neither `bytes` nor `what` is copied: both outlive the reader.
  ByteReader(ConstBytes bytes, std::string_view what) noexcept : bytes_(bytes), what_(what) {}

  uint64_t offset() const noexcept { return offset_; }
  uint64_t remaining() const noexcept { return bytes_.size() - offset_; }

  template <typename T>
  T Read(std::string_view field) {
    return LoadLe<T>(Take(sizeof(T), field).data());
  }
  // The next `count` bytes; valid as long as the memory under the reader.
  ConstBytes Take(uint64_t count, std::string_view field);
  void Skip(uint64_t count, std::string_view field) { Take(count, field); }

 private:
  ConstBytes bytes_;
  std::string_view what_;
  uint64_t offset_ = 0;
};

// The part [offset, offset + count) of `bytes`; throws kCorrupt naming `what` when it does not lie inside.
ConstBytes Slice(ConstBytes bytes, uint64_t offset, uint64_t count, std::string_view what);

// Appends little-endian fields to a growing buffer.
class ByteWriter {
 public:
  uint64_t size() const noexcept { return bytes_.size(); }
  template <typename T>
  void Append(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    StoreLe<T>(bytes_.data() + at, value);
  }
  void Append(ConstBytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void AppendZeros(uint64_t count) { bytes_.resize(bytes_.size() + count); }
  // Zeros up to the next multiple of `alignment` (a power of two).
  void PadTo(uint64_t alignment) { bytes_.resize(AlignUp(bytes_.size(), alignment)); }
  std::vector<std::byte> Finish() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace sluice
