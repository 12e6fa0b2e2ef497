// SPDX-License-Identifier: Apache-2.0
#include "backend/xml_element.h"

#include <utility>

namespace sluice::backend {
namespace {

constexpr size_t kMaxText = 4096;

constexpr std::pair<std::string_view, char> kEntities[] = {
    {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}};

// Nothing for an entity that is none of those.
std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    if (text.front() != '&') {
      decoded += text.front();
      text.remove_prefix(1);
      continue;
    }
    bool known = false;
    for (const auto& [entity, character] : kEntities) {
      if (!text.starts_with(entity)) continue;
      decoded += character;
      text.remove_prefix(entity.size());
      known = true;
      break;
    }
    if (!known) return std::nullopt;
  }
  return decoded;
}

}  // namespace

std::optional<std::string> FindXmlText(std::string_view document, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">";
  const size_t at = document.find(open);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = document.substr(at + open.size());
  const size_t end = rest.find('<');
  if (end == std::string_view::npos || end > kMaxText) return std::nullopt;
  if (!rest.substr(end).starts_with("</" + std::string(name) + ">")) return std::nullopt;
  return Decode(rest.substr(0, end));
}

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '&': escaped += "&amp;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

}  // namespace sluice::backend
