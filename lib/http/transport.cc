// SPDX-License-Identifier: Apache-2.0
#include "http/transport.h"

#include <algorithm>

#include "base/error.h"
#include "http/text.h"

namespace sluice::http {
bool SameFieldName(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerCase(x) == LowerCase(y); });
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
