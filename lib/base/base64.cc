// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"

namespace sluice {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint32_t ValueOf(char digit) {
  const size_t value = kDigits.find(digit);
  if (value == std::string_view::npos)
    Throw(Errc::kInvalidArgument, "base64 text has a character that is no digit of it");
  return static_cast<uint32_t>(value);
}

}  // namespace

std::string EncodeBase64(ConstBytes bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? std::to_integer<uint32_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i) text.push_back(i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=');
  }
  return text;
}

std::string DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0)
    Throw(Errc::kInvalidArgument, "base64 text of {} characters is no multiple of 4", text.size());
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t pending = 0;  // the lowest `bits` bits are decoded and not yet written
  unsigned bits = 0;
  for (const char digit : digits) {
    pending = pending << 6 | ValueOf(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>(pending >> bits));
    pending &= (1u << bits) - 1;
  }
  if (pending != 0) Throw(Errc::kInvalidArgument, "base64 text has bits behind its last byte");
  return bytes;
}

}  // namespace sluice
