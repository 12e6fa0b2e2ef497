// SPDX-License-Identifier: Apache-2.0
// The lines of an answer's header are refused, or they are fields that we can act on.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "http/answer_fields.h"
#include "http/head_parser.h"

namespace {

void ActOn(const sluice::http::ResponseHead& head) {
  SLUICE_CHECK(head.status >= 200 && head.status <= 999, "a final status has three digits");
  for (const sluice::http::Field& field : head.fields) {
    SLUICE_CHECK(field.value.find_first_of("\r\n") == std::string::npos, "a value is one line");
    const auto range = sluice::http::ParseContentRange(field.value);
    SLUICE_CHECK(!range || (range->range.length > 0 && range->range.end() <= range->size.value_or(UINT64_MAX)),
                 "a range lies inside its object");
    sluice::http::ParseHttpDate(field.value);
  }
  const auto retry = sluice::http::RetryAfter(head);
  SLUICE_CHECK(!retry || (*retry >= sluice::Duration::zero() && *retry <= std::chrono::hours(24)), "waits are bounded");
  sluice::http::ContentLength(head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  sluice::http::HeadParser parser(4096);
  try {
    while (!text.empty() && !parser.complete()) {
      const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      parser.Feed(text.substr(0, end));
      text.remove_prefix(end);
    }
    if (parser.complete()) ActOn(parser.head());
  } catch (const sluice::Error&) {
  }
  return 0;
}
