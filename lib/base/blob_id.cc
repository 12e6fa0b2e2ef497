// SPDX-License-Identifier: Apache-2.0
#include "base/blob_id.h"

#include "base/error.h"

namespace sluice {

BlobId BlobId::Parse(std::string_view hex) {
  constexpr size_t kLength = 64;
  if (hex.size() != kLength || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    Throw(Errc::kInvalidArgument, "blob id of {} characters is not 64 lower-case hexadecimal characters", hex.size());
  return BlobId(std::string(hex));
}

}  // namespace sluice
