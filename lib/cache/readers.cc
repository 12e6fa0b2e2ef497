// SPDX-License-Identifier: Apache-2.0
#include "cache/readers.h"

#include <algorithm>

namespace sluice::cache {

Readers::Reader::Reader(Readers& readers, ChunkSpan want) noexcept : map_(readers.map_), want_(want) {
  readers.waiting_.PushBack(*this);
}

bool Readers::Reader::IsDone() const noexcept { return error_ || map_.FirstClaimed(want_) == want_.end; }

runtime::Task<void> Readers::Reader::Wait() {
  if (!IsDone()) co_await done_.Wait();
}

void Readers::Settle(ChunkSpan chunks, const Error* error) {
  runtime::IntrusiveList<Reader> readers;
  readers.TakeAll(waiting_);
  while (Reader* reader = readers.PopFront()) {
    waiting_.PushBack(*reader);
    if (std::max(reader->want_.first, chunks.first) >= std::min(reader->want_.end, chunks.end)) continue;
    if (error != nullptr && !reader->error_) reader->error_ = *error;
    if (reader->IsDone()) reader->done_.Set();
  }
}

}  // namespace sluice::cache
