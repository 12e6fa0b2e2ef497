// SPDX-License-Identifier: Apache-2.0
#include "backend/fill.h"

#include <array>

#include "base/check.h"

namespace sluice::backend {

runtime::Task<void> Fill(http::RangeStream& stream, MutableBytes dst) {
  const uint64_t length = stream.range().length;
  SLUICE_CHECK(dst.size() <= length - stream.received(), "a stream is asked for more than it was opened for");
  while (!dst.empty()) {
    const size_t got = co_await stream.ReadSome(dst);
    dst = dst.subspan(got);
  }
  if (stream.received() < length) co_return;
  std::array<std::byte, 1> beyond;
  co_await stream.ReadSome(beyond);
}

}  // namespace sluice::backend
