// SPDX-License-Identifier: Apache-2.0
#pragma once
// Content digests: sha256 (OCI, RAFS) and blake3 (RAFS chunks).

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sluice {

enum class DigestAlgorithm : uint8_t { kBlake3, kSha256 };

std::string_view Name(DigestAlgorithm algorithm) noexcept;

// 32 bytes of digest; the algorithm is known from context (a RAFS image has one, an OCI digest names it).
struct Digest {
  std::array<std::byte, 32> bytes{};

  // 64 lower-case hexadecimal characters.
  std::string Hex() const;
  // Exactly 64 lower-case hexadecimal characters, else kInvalidArgument.
  static Digest FromHex(std::string_view hex);

  auto operator<=>(const Digest&) const = default;
};

// Computes a digest piece by piece.  Not thread-safe; movable.
class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void Update(ConstBytes bytes);
  // The digest of everything given so far.  May be called once.
  Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The digest of one piece of memory.
Digest DigestOf(DigestAlgorithm algorithm, ConstBytes bytes);

// For hash maps: the digest is uniform already.
struct DigestHash {
  size_t operator()(const Digest& digest) const noexcept { return LoadLe<uint64_t>(digest.bytes.data()); }
};

}  // namespace sluice
