// SPDX-License-Identifier: Apache-2.0
#include "http/curl/socket_watches.h"

#include <cerrno>
#include <cstdint>
#include <utility>

#include "runtime/op.h"

namespace sluice::http::curl {

using runtime::Opcode;
using runtime::Task;

namespace {

// 0, or a negative errno: -ECANCELED after a stop request.
Task<int64_t> Wait(runtime::Engine& engine, int fd, Opcode direction) {
  const runtime::Request request{.opcode = direction, .fd = fd};
  co_return co_await runtime::Op(engine, request);
}

}  // namespace

SocketWatches::SocketWatches(runtime::Engine& engine, Listener& listener) noexcept
    : engine_(engine), listener_(listener), scope_(engine, "sockets of the HTTP client") {}

void SocketWatches::Set(int fd, bool readable, bool writable) noexcept {
  SetSide(fd, Opcode::kWaitReadable, readable);
  SetSide(fd, Opcode::kWaitWritable, writable);
  const auto at = watches_.find(fd);
  if (at != watches_.end() && !at->second.read.running && !at->second.write.running) watches_.erase(at);
}

SocketWatches::Side& SocketWatches::SideOf(int fd, Opcode direction) {
  Watch& watch = watches_[fd];
  return direction == Opcode::kWaitReadable ? watch.read : watch.write;
}

void SocketWatches::SetSide(int fd, Opcode direction, bool wanted) noexcept {
  Side& side = SideOf(fd, direction);
  side.wanted = wanted;
  if (!wanted && side.wait != nullptr) side.wait->RequestStop();
  if (!wanted || std::exchange(side.running, true)) return;
  scope_.Spawn(Run(fd, direction));
}

Task<void> SocketWatches::Run(int fd, Opcode direction) {
  while (SideOf(fd, direction).wanted) {
    runtime::StopSource stop;
    SideOf(fd, direction).wait = &stop;
    const runtime::Context context{engine_, runtime::StopToken(stop)};
    Task<int64_t> wait = Wait(engine_, fd, direction);
    const int64_t result = co_await runtime::InContext(wait, context);
    SideOf(fd, direction).wait = nullptr;
    // After a stop the number may already mean another socket: whether that one is ready is not known.
    if (stop.requested()) continue;
    listener_.OnReady(fd, direction == Opcode::kWaitReadable, direction == Opcode::kWaitWritable, result < 0);
  }
  SideOf(fd, direction).running = false;
  const auto at = watches_.find(fd);
  if (!at->second.read.running && !at->second.write.running) watches_.erase(at);
}

}  // namespace sluice::http::curl
