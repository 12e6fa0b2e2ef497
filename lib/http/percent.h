// SPDX-License-Identifier: Apache-2.0
#pragma once
// Percent-encoding of URL components (RFC 3986 section 2.1).

#include <string>
#include <string_view>

namespace sluice::http {

// Every byte except letters, digits and "-._~" becomes %XX: safe in any component of a URL.
std::string PercentEncode(std::string_view text);

// '+' stands for itself.  Throws kInvalidArgument for a '%' without two hexadecimal digits, and for %00: text that
// comes in a URL ends up in paths, which end at the first zero byte.
std::string PercentDecode(std::string_view text);

}  // namespace sluice::http
