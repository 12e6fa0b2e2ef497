// SPDX-License-Identifier: Apache-2.0
#include "http/ip_address.h"

#include <arpa/inet.h>  // for inet_pton

#include <algorithm>

#include "base/check.h"

namespace sluice::http {
namespace {

struct Network {
  IpAddress address;
  unsigned prefix;
};

bool IsInsideAny(const IpAddress& address, std::span<const Network> networks) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& each) { return address.IsInside(each.address, each.prefix); });
}

IpAddress V4(uint8_t a, uint8_t b, uint8_t c = 0, uint8_t d = 0) noexcept {
  return IpAddress(std::array<uint8_t, 4>{a, b, c, d});
}

// The last 32 bits decide in these networks.
bool CarriesV4(const IpAddress& address) {
  static const std::array<Network, 3> kNetworks{{
      {*IpAddress::Parse("::ffff:0:0"), 96},  // IPv4-mapped
      {*IpAddress::Parse("::"), 96},          // IPv4-compatible
      {*IpAddress::Parse("64:ff9b::"), 96},   // NAT64
  }};
  return IsInsideAny(address, kNetworks);
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  const std::string copy(text);  // inet_pton wants a zero byte
  if (copy.size() != std::char_traits<char>::length(copy.c_str())) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, copy.c_str(), address.bytes_.data()) == 1) {
    address.size_ = 4;
  } else if (inet_pton(AF_INET6, copy.c_str(), address.bytes_.data()) == 1) {
    address.size_ = 16;
  } else {
    return std::nullopt;
  }
  return address;
}

IpAddress::IpAddress(std::span<const uint8_t> bytes) noexcept : size_(static_cast<unsigned>(bytes.size())) {
  SLUICE_CHECK(size_ == 4 || size_ == 16, "an address has 4 or 16 bytes");
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(size_ == 4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  return text;
}

bool IpAddress::IsInside(const IpAddress& network, unsigned prefix) const noexcept {
  if (size_ != network.size_ || prefix > bits()) return false;
  const unsigned whole = prefix / 8;
  if (!std::equal(bytes_.begin(), bytes_.begin() + whole, network.bytes_.begin())) return false;
  if (prefix % 8 == 0) return true;
  const unsigned unused = 8 - prefix % 8;
  return bytes_[whole] >> unused == network.bytes_[whole] >> unused;
}

bool IpAddress::IsLocal() const noexcept {
  if (size_ == 4) {
    const std::array<Network, 4> networks{{
        {V4(0, 0), 8}, {V4(127, 0), 8}, {V4(169, 254), 16}, {V4(100, 100, 100, 200), 32},  // Alibaba instance metadata
    }};
    return IsInsideAny(*this, networks);
  }
  if (CarriesV4(*this) && bytes_ != std::array<uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}) {
    return IpAddress(bytes().last(4)).IsLocal();
  }
  static const std::array<Network, 4> kNetworks{{
      {*Parse("::1"), 128},
      {*Parse("fe80::"), 10},
      {*Parse("fd00:ec2::254"), 128},  // AWS instance metadata over IPv6
      {*Parse("fd20:ce::254"), 128},   // Google's
  }};
  return IsInsideAny(*this, kNetworks);
}

bool IpAddress::IsPrivate() const noexcept {
  if (size_ == 4) {
    const std::array<Network, 4> networks{{{V4(10, 0), 8}, {V4(172, 16), 12}, {V4(192, 168), 16}, {V4(100, 64), 10}}};
    return IsInsideAny(*this, networks);
  }
  if (CarriesV4(*this)) return IpAddress(bytes().last(4)).IsPrivate();
  static const IpAddress kUniqueLocal = *Parse("fc00::");
  return IsInside(kUniqueLocal, 7);
}

}  // namespace sluice::http
