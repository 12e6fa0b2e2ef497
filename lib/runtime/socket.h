// SPDX-License-Identifier: Apache-2.0
#pragma once
// Unix stream sockets as tasks.  Belong to the shard of their engine.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "runtime/engine.h"
#include "runtime/task.h"

namespace sluice::runtime {

// One connection.  One task may read while another writes.
class Socket {
 public:
  Socket() noexcept = default;
  // Connects to the listener at `path`: kNotFound when there is none, kIo when nobody listens.
  static Task<Socket> Connect(Engine& engine, std::string path);
  // Takes a connected stream socket of the real kernel and makes it non-blocking.  Not on the simulator.
  static Socket Adopt(Engine& engine, UniqueFd fd);

  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

  // At least one byte, at most dst.size(); 0 when the peer has sent everything.
  Task<size_t> ReadSome(MutableBytes dst);
  Task<void> WriteAll(ConstBytes src);
  // The peer reads the end after what was sent before.
  void ShutdownSend() noexcept;
  void Close() noexcept;

 private:
  friend class Listener;
  Socket(Engine& engine, int fd) noexcept : engine_(&engine), fd_(fd) {}
  Engine* engine_ = nullptr;
  int fd_ = -1;
};

class Listener {
 public:
  Listener() noexcept = default;
  // Binds a new unix socket at `path`.  kBusy when the path exists: whoever owns the path removes a stale one before.
  static Task<Listener> Listen(Engine& engine, std::string path);
  // Takes a listening socket (of a service manager or the holder).  Not on the simulator.
  static Listener Adopt(Engine& engine, UniqueFd fd);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

  // The next connection.  A connection that vanishes before it is accepted is skipped; running out of descriptors is
  // kLimit.
  Task<Socket> Accept();
  void Close() noexcept;

 private:
  Listener(Engine& engine, int fd) noexcept : engine_(&engine), fd_(fd) {}
  Engine* engine_ = nullptr;
  int fd_ = -1;
};

}  // namespace sluice::runtime
