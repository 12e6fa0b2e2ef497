// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keyed hashes of messages (RFC 2104): what signatures of requests are made of.

#include <array>
#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/digest.h"

namespace sluice {

Digest HmacSha256(ConstBytes key, std::string_view message);

// Only where a protocol asks for it.
std::array<std::byte, 20> HmacSha1(ConstBytes key, std::string_view message);

}  // namespace sluice
