// SPDX-License-Identifier: Apache-2.0
#pragma once
// The fields of an answer that we act on, as values.  Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/range.h"
#include "http/transport.h"

namespace sluice::http {

struct ContentRange {
  ByteRange range;               // not empty
  std::optional<uint64_t> size;  // of the whole object; nothing for "*"

  bool operator==(const ContentRange&) const = default;
};

// "bytes 0-99/1234" (RFC 9110 section 14.4).  Nothing for anything else: other units, reversed or empty ranges, ranges
// that end behind the size, numbers of more than 64 bits.
std::optional<ContentRange> ParseContentRange(std::string_view text);

// A number of bytes.  Throws kCorrupt for a field that holds no number of 64 bits, or that is there twice; nothing when
// there is none.
std::optional<uint64_t> ContentLength(const ResponseHead& head);

// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7, without the obsolete forms).
std::optional<int64_t> ParseHttpDate(std::string_view text);

// How long the server wants us to stay away: Retry-After in seconds, or as a date, which is reckoned from the answer's
// own Date.  At most a day; nothing when it does not say or is not understood.
std::optional<Duration> RetryAfter(const ResponseHead& head);

}  // namespace sluice::http
