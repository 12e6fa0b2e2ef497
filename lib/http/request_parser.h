// SPDX-License-Identifier: Apache-2.0
#pragma once
// Turns the bytes of one connection into requests.  Pure: no descriptor, no clock.  What it keeps is bounded by its
// limits.

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/limits.h"
#include "http/message.h"

namespace sluice::http {

struct RequestLimits {
  uint64_t header_bytes = 16 * kKiB;  // request line, header fields and trailer fields together
  uint64_t body_bytes = 1 * kMiB;
};

class RequestParser {
 public:
  explicit RequestParser(RequestLimits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Consumes bytes up to the end of the request at most and returns how many; the rest belongs to the next request.
  // Not to be called while complete().  Throws kInvalidArgument, kUnsupported or kLimit; after that the connection is
  // beyond repair, refusal_status() says what to tell the client, and the parser must not be used again.
  size_t Feed(ConstBytes bytes);

  // Some byte of a request has been consumed.
  bool started() const noexcept;
  // A whole request is there.
  bool complete() const noexcept;
  // The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const noexcept;
  // The status for the error that Feed threw.
  unsigned refusal_status() const noexcept;

  // Gives the complete request away and starts over.  Throws kInvalidArgument for a target that is no path or has a
  // malformed escape.
  Request Take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::http
