// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include "base/error.h"

namespace sluice {

ConstBytes ByteReader::Take(uint64_t count, std::string_view field) {
  if (count > remaining())
    Throw(Errc::kCorrupt, "{}: field '{}' at offset {} needs {} bytes, {} are left", what_, field, offset_, count,
          remaining());
  const ConstBytes taken = bytes_.subspan(offset_, count);
  offset_ += count;
  return taken;
}

ConstBytes Slice(ConstBytes bytes, uint64_t offset, uint64_t count, std::string_view what) {
  if (offset > bytes.size() || count > bytes.size() - offset)
    Throw(Errc::kCorrupt, "{}: {} bytes at offset {} lie outside of {} bytes", what, count, offset, bytes.size());
  return bytes.subspan(offset, count);
}

}  // namespace sluice
