// SPDX-License-Identifier: Apache-2.0
#pragma once
// Unix stream sockets of the simulator: both ends are in one engine.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/rng.h"

namespace sluice::runtime {

// Results are those of non-blocking system calls.  Sends and receives carry a random part of what they could.
class SimSockets {
 public:
  explicit SimSockets(Rng& rng) noexcept : rng_(rng) {}

  bool Has(int fd) const noexcept { return connections_.count(fd) > 0 || listeners_.count(fd) > 0; }
  // `fd` is the new descriptor's number, which the caller chooses.
  int64_t Listen(int fd, std::string_view path);
  int64_t Connect(int fd, std::string_view path);
  int64_t Accept(int listener, int fd);
  int64_t Receive(int fd, MutableBytes dst);
  int64_t Send(int fd, ConstBytes src);
  int64_t ShutdownSend(int fd);
  void Close(int fd);

  // Whether the next call would not be answered with -EAGAIN.
  bool IsReadable(int fd) const;
  bool IsWritable(int fd) const;

 private:
  // One direction of a connection.
  struct Pipe {
    std::deque<std::byte> bytes;
    bool ended = false;   // nothing more comes
    bool unread = false;  // nobody reads any more
  };
  struct Connection {
    std::shared_ptr<Pipe> in;
    std::shared_ptr<Pipe> out;
  };
  struct Listening {
    std::string path;
    std::deque<Connection> waiting;
  };
  static void Close(Connection& connection) noexcept;

  Rng& rng_;
  std::map<int, Connection> connections_;
  std::map<int, Listening> listeners_;
};

}  // namespace sluice::runtime
