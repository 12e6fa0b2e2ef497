// SPDX-License-Identifier: Apache-2.0
#include "http/answer_fields.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/error.h"
#include "http/text.h"

namespace sluice::http {
namespace {

// The field of this name when it is there once; what is said twice is not said.
std::optional<std::string_view> FindOnce(const ResponseHead& head, std::string_view name) {
  try {
    return head.Find(name);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!SameFieldName(text.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const std::optional<uint64_t> first = ParseNumber<uint64_t>(text.substr(0, dash));
  const std::optional<uint64_t> last = ParseNumber<uint64_t>(text.substr(dash + 1, slash - dash - 1));
  const std::string_view size_text = text.substr(slash + 1);
  const std::optional<uint64_t> size = ParseNumber<uint64_t>(size_text);
  if (!first || !last || *last < *first || *last == UINT64_MAX) return std::nullopt;
  if (size_text != "*" && (!size || *last >= *size)) return std::nullopt;
  return ContentRange{.range = {*first, *last - *first + 1}, .size = size};
}

std::optional<uint64_t> ContentLength(const ResponseHead& head) {
  const std::optional<std::string_view> text = head.Find("Content-Length");
  if (!text) return std::nullopt;
  const std::optional<uint64_t> length = ParseNumber<uint64_t>(*text);
  if (!length) Throw(Errc::kCorrupt, "the answer has a Content-Length that is no number of bytes");
  return length;
}

std::optional<int64_t> ParseHttpDate(std::string_view text) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // "Sun, 06 Nov 1994 08:49:37 GMT": each part has its place.
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" || text[7] != ' ' ||
      text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month_name = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto days = ParseNumber<uint64_t>(text.substr(5, 2));
  const auto years = ParseNumber<uint64_t>(text.substr(12, 4));
  const auto hour = ParseNumber<uint64_t>(text.substr(17, 2));
  const auto minute = ParseNumber<uint64_t>(text.substr(20, 2));
  const auto second = ParseNumber<uint64_t>(text.substr(23, 2));
  if (month_name == kMonths.end() || !days || !years || !hour || !minute || !second) return std::nullopt;
  const year_month_day date(year(static_cast<int>(*years)),
                            month(static_cast<unsigned>(month_name - kMonths.begin()) + 1),
                            day(static_cast<unsigned>(*days)));
  // 60: a leap second.
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const int64_t midnight = duration_cast<seconds>(sys_days(date).time_since_epoch()).count();
  return midnight + static_cast<int64_t>(*hour * 3600 + *minute * 60 + *second);
}

std::optional<Duration> RetryAfter(const ResponseHead& head) {
  constexpr int64_t kMostSeconds = 24 * 60 * 60;
  const std::optional<std::string_view> text = FindOnce(head, "Retry-After");
  if (!text) return std::nullopt;
  if (const std::optional<uint64_t> number = ParseNumber<uint64_t>(*text)) {
    return std::chrono::seconds(std::min<uint64_t>(*number, kMostSeconds));
  }
  const std::optional<std::string_view> sent = FindOnce(head, "Date");
  const std::optional<int64_t> then = ParseHttpDate(*text);
  const std::optional<int64_t> now = sent ? ParseHttpDate(*sent) : std::nullopt;
  if (!then || !now) return std::nullopt;
  return std::chrono::seconds(std::clamp<int64_t>(*then - *now, 0, kMostSeconds));
}

}  // namespace sluice::http
