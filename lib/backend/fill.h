// SPDX-License-Identifier: Apache-2.0
#pragma once
// From an answer that runs into memory.  Internal to backend.

#include "base/bytes.h"
#include "http/fetch.h"
#include "runtime/task.h"

namespace sluice::backend {

// Fills all of `dst` with the next bytes of `stream`, which has at least so many left.  With the last ones it reads on
// to the end of the answer: nothing may follow, and the connection is free for the next request.  `stream` outlives the
// task.  Throws as RangeStream::ReadSome.
runtime::Task<void> Fill(http::RangeStream& stream, MutableBytes dst);

}  // namespace sluice::backend
