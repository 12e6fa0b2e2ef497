// SPDX-License-Identifier: Apache-2.0
#pragma once
// Addresses of IPv4 and IPv6 as numbers, and what they mean for us.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::http {

class IpAddress {
 public:
  // A dotted quad without leading zeros, or an IPv6 address with or without brackets; no zone.  Nothing for other text.
  static std::optional<IpAddress> Parse(std::string_view text);
  // `bytes`: 4 or 16, in network order.
  explicit IpAddress(std::span<const uint8_t> bytes) noexcept;

  std::span<const uint8_t> bytes() const noexcept { return {bytes_.data(), size_}; }
  unsigned bits() const noexcept { return size_ * 8; }
  // In the canonical form of inet_ntop(3), IPv6 without brackets.
  std::string ToString() const;
  // Whether the first `prefix` bits are those of `network`.  An address of the other family never is inside.
  bool IsInside(const IpAddress& network, unsigned prefix) const noexcept;
  // Loopback, unspecified, link-local, the metadata service of a cloud, and IPv4 addresses of that kind in the clothes
  // of IPv6 (RFC 4291 section 2.5.5, RFC 6052 section 2.1).
  bool IsLocal() const noexcept;
  // In a network that is nobody's on the internet (RFC 1918, RFC 6598, RFC 4193), or IPv4 of that kind inside IPv6.
  bool IsPrivate() const noexcept;

  bool operator==(const IpAddress&) const = default;

 private:
  IpAddress() = default;
  std::array<uint8_t, 16> bytes_{};
  unsigned size_ = 0;  // 4 or 16
};

}  // namespace sluice::http
