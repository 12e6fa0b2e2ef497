// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection of the server: requests in, answers out, one after the other.

#include <optional>
#include <vector>

#include "http/server.h"

namespace sluice::http {

class Connection {
 public:
  // `engine`, `handler` and `options` outlive the connection.
  Connection(runtime::Engine& engine, runtime::Socket socket, Handler& handler, const ServerOptions& options);

  // Ends when the client has left, after an answer that closes the connection, or with kStopped, kTimeout or kIo.  A
  // request that is being handled is answered also after a stop request.
  runtime::Task<void> Serve();

 private:
  // Reads until a request is complete or refused; neither when the client has sent its last byte.
  runtime::Task<void> Receive();
  // Gives the received request to the handler and answers it.  False: the connection is done.
  runtime::Task<bool> Answer(Request request);
  runtime::Task<void> Send(Response response, bool keep_alive, bool with_body);
  // Says why and takes what the client still sends, so that it does not lose the answer to a broken pipe.
  runtime::Task<void> Refuse(Response response);

  runtime::Engine& engine_;
  runtime::Socket socket_;
  Handler& handler_;
  const ServerOptions& options_;
  RequestParser parser_;
  std::optional<Response> refusal_;
  std::vector<std::byte> buffer_;
  size_t next_ = 0;    // of buffer_: the first byte that is not parsed
  size_t filled_ = 0;  // of buffer_: the end of what was read
};

}  // namespace sluice::http
