// SPDX-License-Identifier: Apache-2.0
#include "cache/read_ahead.h"

#include <algorithm>

#include "base/bytes.h"

namespace sluice::cache {

bool ReadAhead::Continues(const Stream& stream, uint64_t offset) const noexcept {
  if (stream.next == 0) return false;
  const uint64_t reach = std::max(stream.next + limits_.forward_slack, stream.window_end);
  return offset <= reach && offset + limits_.backward_slack >= stream.next && offset >= stream.begin;
}

ReadAhead::Stream& ReadAhead::FindOrReplace(uint64_t offset) noexcept {
  auto found =
      std::find_if(streams_.begin(), streams_.end(), [&](const Stream& stream) { return Continues(stream, offset); });
  if (found == streams_.end()) {
    // A jump.  Half of the credit goes along: a reader of whole directories jumps, too.
    const uint64_t inherited = streams_.front().credit / 2;
    found = std::prev(streams_.end());
    *found = Stream{.begin = offset, .inherited = inherited, .next = offset, .credit = inherited, .window_end = offset};
  }
  std::rotate(streams_.begin(), found, std::next(found));
  return streams_.front();
}

bool ReadAhead::OnDemand(ByteRange plain) noexcept {
  if (plain.empty() || plain.offset >= blob_end_) return false;
  // In whole blocks: whoever reads the end of a file has not skipped the rest of its last block.
  const uint64_t begin = AlignDown(plain.offset, kBlockSize);
  const uint64_t end = plain.length > blob_end_ - plain.offset ? blob_end_ : AlignUp(plain.end(), kBlockSize);
  const uint64_t length = end - begin;
  Stream& stream = FindOrReplace(begin);

  if (limits_.hits_are_silent && begin > stream.next) {
    const uint64_t heard = std::max(stream.next, std::min(begin, stream.window_end));
    stream.credit += heard - stream.next;
    stream.next = heard;
  }
  stream.credit += length;
  if (begin > stream.next) {
    const uint64_t penalty = std::min(stream.credit, 2 * (begin - stream.next));
    stream.credit -= penalty;
    stream.penalty += penalty;
  } else if (begin < stream.next) {
    const uint64_t refund = std::min(stream.penalty, 2 * length);
    stream.credit += refund;
    stream.penalty -= refund;
  }
  stream.next = std::max(stream.next, end);
  // Reading the same bytes over and over earns nothing.
  stream.credit = std::min(stream.credit, stream.inherited + (stream.next - stream.begin));

  const uint64_t window = WindowFor(stream.credit);
  const uint64_t target = window > blob_end_ - stream.next ? blob_end_ : stream.next + window;
  const uint64_t from = std::max(stream.window_end, stream.next);
  if (target <= from || (target - from < limits_.step && target != blob_end_)) return false;
  stream.window_end = target;
  return true;
}

// Grows with the square up to twice the credit: a file of a few MiB read from end to end, of which a start reads
// several, must not bring its neighbours along, but for the lead.
uint64_t ReadAhead::WindowFor(uint64_t credit) const noexcept {
  const uint64_t window = credit >= 2 * limits_.ramp ? 2 * credit : credit * credit / limits_.ramp;
  return std::min(std::max(window, std::min(credit, limits_.lead)), limits_.max_window);
}

ByteRange ReadAhead::Window(size_t i) const noexcept {
  const Stream& stream = streams_[i];
  return stream.window_end > stream.next ? ByteRange{stream.next, stream.window_end - stream.next} : ByteRange{};
}

}  // namespace sluice::cache
