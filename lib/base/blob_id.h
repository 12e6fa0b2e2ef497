// SPDX-License-Identifier: Apache-2.0
#pragma once
// The name of a blob: 64 lower-case hexadecimal characters, so that it is safe as a file name and in a URL.

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

class BlobId {
 public:
  // Throws kInvalidArgument unless `hex` is exactly 64 characters of [0-9a-f].
  static BlobId Parse(std::string_view hex);

  const std::string& hex() const noexcept { return hex_; }
  auto operator<=>(const BlobId&) const = default;

 private:
  explicit BlobId(std::string hex) : hex_(std::move(hex)) {}
  std::string hex_;
};

}  // namespace sluice

template <>
struct std::hash<sluice::BlobId> {
  size_t operator()(const sluice::BlobId& id) const noexcept { return std::hash<std::string>()(id.hex()); }
};
