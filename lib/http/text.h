// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small readings of text that HTTP's parsers share.

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

inline char LowerCase(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = LowerCase(c);
  return lower;
}

// All of `text` as a decimal number of unsigned type T; nothing for a sign, a space or a number that T cannot hold.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) noexcept {
  T value{};
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

// A token of RFC 9110 section 5.6.2: methods, names of fields.
inline bool IsToken(std::string_view text) noexcept {
  const auto may_stand = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), may_stand);
}

}  // namespace sluice::http
