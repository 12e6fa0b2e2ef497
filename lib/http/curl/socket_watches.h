// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sockets of libcurl in the engine of their shard: a task for each socket and direction that is waited for.

#include <map>

#include "runtime/engine.h"
#include "runtime/scope.h"
#include "runtime/stop.h"
#include "runtime/task.h"

namespace sluice::http::curl {

class SocketWatches {
 public:
  // Who is told.
  class Listener {
   public:
    virtual ~Listener() = default;
    // From the loop.  May call Set() for any socket.
    virtual void OnReady(int fd, bool readable, bool writable, bool broken) noexcept = 0;
  };

  // `engine` and `listener` outlive it.
  SocketWatches(runtime::Engine& engine, Listener& listener) noexcept;

  // From now on tells of `fd` what is named here, again and again as long as it is so.  `fd` may be closed right after
  // it was set to neither, and its number may come back for another socket.
  void Set(int fd, bool readable, bool writable) noexcept;

  // Ends when nothing waits any more; everything has been set to neither.
  runtime::Task<void> Join() { return scope_.Join(); }

 private:
  struct Side {
    bool wanted = false;
    bool running = false;                 // its task
    runtime::StopSource* wait = nullptr;  // of the task that waits in the engine
  };
  struct Watch {
    Side read;
    Side write;
  };
  Side& SideOf(int fd, runtime::Opcode direction);
  void SetSide(int fd, runtime::Opcode direction, bool wanted) noexcept;
  runtime::Task<void> Run(int fd, runtime::Opcode direction);

  runtime::Engine& engine_;
  Listener& listener_;
  std::map<int, Watch> watches_;  // as many as libcurl has sockets
  runtime::Scope scope_;
};

}  // namespace sluice::http::curl
