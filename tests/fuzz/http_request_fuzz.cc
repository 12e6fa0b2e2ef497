// SPDX-License-Identifier: Apache-2.0
// The input is what a client sends on one connection; its first byte says in pieces of which size it arrives.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "http/request_parser.h"

namespace {

using namespace sluice;

constexpr http::RequestLimits kLimits{.header_bytes = 200, .body_bytes = 100};

// The requests before the first error; those that cannot be taken are left out.
std::vector<http::Request> ParseInPieces(ConstBytes bytes, size_t step) {
  std::vector<http::Request> requests;
  http::RequestParser parser(kLimits);
  try {
    while (!bytes.empty()) {
      const size_t used = parser.Feed(bytes.first(std::min(step, bytes.size())));
      SLUICE_CHECK(used > 0 && used <= std::min(step, bytes.size()), "a piece is consumed, and no more than it");
      bytes = bytes.subspan(used);
      if (!parser.complete()) continue;
      try {
        requests.push_back(parser.Take());
      } catch (const Error&) {
      }
      SLUICE_CHECK(!parser.complete() && !parser.started(), "the parser has started over");
    }
  } catch (const Error&) {
    SLUICE_CHECK(parser.refusal_status() >= 400 && !http::ReasonPhrase(parser.refusal_status()).empty(),
                 "a refusal has a status");
  }
  return requests;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ConstBytes bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const std::vector<http::Request> whole = ParseInPieces(bytes, std::max<size_t>(bytes.size(), 1));
  for (const http::Request& request : whole) {
    SLUICE_CHECK(request.path.starts_with('/') && request.path.size() <= kLimits.header_bytes, "the path is bounded");
    SLUICE_CHECK(request.path.find('\0') == std::string::npos, "no zero byte reaches a path");
    SLUICE_CHECK(request.body.size() <= kLimits.body_bytes, "the body is bounded");
  }
  SLUICE_CHECK(ParseInPieces(bytes, data[0] % 16 + 1) == whole, "the pieces make no difference");
  return 0;
}
