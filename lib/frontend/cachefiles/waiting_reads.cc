// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/waiting_reads.h"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace sluice::frontend::cachefiles {

void WaitingReads::Add(const Read& read) {
  reads_.With([&](auto& reads) { reads.push_back(&read); });
}

bool WaitingReads::Remove(const Read& read) noexcept {
  return reads_.With([&](auto& reads) { return std::erase(reads, &read) > 0; });
}

void WaitingReads::Complete(const ObjectFd& object, ByteRange there) noexcept {
  // One after the other, and not while others wait for the list: the kernel may let the reader run in this thread's
  // place.
  const auto take = [&](auto& reads) -> std::optional<uint32_t> {
    const auto found =
        std::find_if(reads.begin(), reads.end(), [&](const Read* read) { return there.Contains(read->range); });
    if (found == reads.end()) return std::nullopt;
    const uint32_t id = (*found)->id;
    reads.erase(found);
    return id;
  };
  while (const std::optional<uint32_t> id = reads_.With(take)) {
    const int64_t completed = object.CompleteRead(*id);
    if (completed < 0 && completed != -EINVAL) error_ = completed;
  }
}

}  // namespace sluice::frontend::cachefiles
