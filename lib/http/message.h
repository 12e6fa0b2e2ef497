// SPDX-License-Identifier: Apache-2.0
#pragma once
// Requests and responses of the API socket, as values.  Header fields are not kept: no route looks at any.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace sluice::http {

struct Request {
  std::string method;                                      // "GET", "POST", …
  std::string path;                                        // percent-decoded, begins with '/'
  std::vector<std::pair<std::string, std::string>> query;  // percent-decoded names and values, in order
  std::string body;
  bool keep_alive = false;  // the client may send another request on this connection

  bool operator==(const Request&) const = default;
};

struct Response {
  unsigned status = 200;
  std::string content_type;  // empty when there is no body
  std::string body;
  std::string allow;  // with status 405: the methods that the path does take, "GET, POST"

  bool operator==(const Response&) const = default;
};

// The status that fits a failure of this kind (RFC 9110 section 15, RFC 4918 section 11).
unsigned StatusOf(Errc code) noexcept;

// "Not Found" for 404; empty for a status that this server never sends.
std::string_view ReasonPhrase(unsigned status) noexcept;

}  // namespace sluice::http
