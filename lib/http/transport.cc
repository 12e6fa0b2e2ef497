// SPDX-License-Identifier: Apache-2.0
#include "http/transport.h"

#include <algorithm>

#include "base/error.h"

namespace sluice::http {
namespace {

char Lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool SameFieldName(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::optional<std::string_view> ResponseHead::Find(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const Field& field : fields) {
    if (!SameFieldName(field.name, name)) continue;
    if (found) Throw(Errc::kCorrupt, "the answer has several fields '{}'", name);
    found = field.value;
  }
  return found;
}

}  // namespace sluice::http
