// SPDX-License-Identifier: Apache-2.0
#pragma once
// Unix stream sockets as tasks.  Belong to the shard of their engine.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "runtime/engine.h"
#include "runtime/handle.h"
#include "runtime/task.h"

namespace sluice::runtime {

// One connection.  One task may read while another writes.
class Socket {
 public:
  Socket() noexcept = default;
  // Connects to the listener at `path`: kNotFound when there is none, kIo when nobody listens,
  // kBusy when its queue is full.
  static Task<Socket> Connect(Engine& engine, std::string path);
  // Takes a connected stream socket of the real kernel and makes it non-blocking.  Not on the simulator.
  static Socket Adopt(Engine& engine, UniqueFd fd);

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  int fd() const noexcept { return handle_.fd(); }

  // At least one byte, at most dst.size(); 0 when the peer has sent everything.
  Task<size_t> ReadSome(MutableBytes dst);
  Task<void> WriteAll(ConstBytes src);
  // The peer reads the end after what was sent before.
  void ShutdownSend() noexcept;
  void Close() noexcept { handle_.Close(); }

 private:
  friend class Listener;
  explicit Socket(Handle handle) noexcept : handle_(std::move(handle)) {}
  Handle handle_;
};

class Listener {
 public:
  Listener() noexcept = default;
  // Binds a new unix socket at `path`.  kExists when the path is taken: whoever owns it removes a stale one before.
  static Task<Listener> Listen(Engine& engine, std::string path);
  // Takes a listening socket (of a service manager or the holder).  Not on the simulator.
  static Listener Adopt(Engine& engine, UniqueFd fd);

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  int fd() const noexcept { return handle_.fd(); }

  // The next connection.  A connection that vanishes before it is accepted is skipped; running out of descriptors is
  // kLimit.
  Task<Socket> Accept();
  void Close() noexcept { handle_.Close(); }

 private:
  explicit Listener(Handle handle) noexcept : handle_(std::move(handle)) {}
  Handle handle_;
};

}  // namespace sluice::runtime
