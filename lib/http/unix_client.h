// SPDX-License-Identifier: Apache-2.0
#pragma once
// A blocking HTTP client on a unix socket, for command line tools.  Not for shards.

#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace sluice::http {

class UnixClient {
 public:
  // Does no I/O.  `socket` is the path of a listening unix socket.
  explicit UnixClient(std::string socket);
  ~UnixClient();
  UnixClient(const UnixClient&) = delete;
  UnixClient& operator=(const UnixClient&) = delete;

  // Sends one request and waits for its answer, however long the server takes: a mount may have to fetch much. `target`
  // is a path with an already encoded query; an empty `body` sends none.  An answer of any status is returned.  Throws
  // kInvalidArgument when the socket's path is too long, kNotFound when nothing listens there, kPermission, kLimit when
  // the answer is larger than 64 MiB, kIo.
  Response Perform(std::string_view method, std::string_view target, std::string_view body = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::http
