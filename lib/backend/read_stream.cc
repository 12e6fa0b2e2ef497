// SPDX-License-Identifier: Apache-2.0
#include "backend/read_stream.h"

namespace sluice::backend {

runtime::Task<void> ReadStream::Read(MutableBytes dst) {
  co_await source_.ReadAt(offset_, dst);
  offset_ += dst.size();
}

}  // namespace sluice::backend
