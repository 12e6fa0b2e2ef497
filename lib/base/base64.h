// SPDX-License-Identifier: Apache-2.0
#pragma once
// Base64 with padding (RFC 4648 section 4).

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sluice {

std::string EncodeBase64(ConstBytes bytes);

// Throws kInvalidArgument for anything but whole groups of four with correct padding: no white space, no bits that the
// encoder would not have set.  The message does not repeat the text, which is often a secret.
std::string DecodeBase64(std::string_view text);

}  // namespace sluice
