// SPDX-License-Identifier: Apache-2.0
#include "runtime/socket.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "runtime/file.h"

namespace sluice::runtime {

namespace {

Handle MakeNonBlocking(Engine& engine, UniqueFd fd) {
  SLUICE_CHECK(!engine.simulated(), "the simulator has no descriptors of the real kernel");
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    ThrowErrno(errno, "make descriptor {} non-blocking", fd.get());
  }
  return Handle(engine, fd.Release());
}

}  // namespace

Task<Socket> Socket::Connect(Engine& engine, std::string path) {
  const Request request{.opcode = Opcode::kConnect, .path = path.c_str()};
  const int64_t result = engine.Call(request);
  if (result == -EAGAIN) Throw(Errc::kBusy, "connect to '{}': too many connections wait there", path);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "connect to '{}'", path);
  co_return Socket(Handle(engine, static_cast<int>(result)));
}

Socket Socket::Adopt(Engine& engine, UniqueFd fd) { return Socket(MakeNonBlocking(engine, std::move(fd))); }

void Socket::ShutdownSend() noexcept {
  const Request request{.opcode = Opcode::kShutdownSend, .fd = fd()};
  handle_.engine().Call(request);
}

Task<size_t> Socket::ReadSome(MutableBytes dst) {
  const Request request{.opcode = Opcode::kReceive, .fd = fd(), .buffer = dst.data(), .size = dst.size()};
  for (;;) {
    const int64_t result = handle_.engine().Call(request);
    if (result >= 0) co_return static_cast<size_t>(result);
    if (result != -EAGAIN && result != -EINTR) ThrowErrno(static_cast<int>(-result), "receive");
    co_await WaitReadable(handle_.engine(), fd());
  }
}

Task<void> Socket::WriteAll(ConstBytes src) {
  while (!src.empty()) {
    const Request request{
        .opcode = Opcode::kSend, .fd = fd(), .buffer = const_cast<std::byte*>(src.data()), .size = src.size()};
    const int64_t result = handle_.engine().Call(request);
    if (result >= 0) {
      src = src.subspan(static_cast<size_t>(result));
    } else if (result == -EAGAIN || result == -EINTR) {
      co_await WaitWritable(handle_.engine(), fd());
    } else {
      ThrowErrno(static_cast<int>(-result), "send");
    }
  }
}

Task<Listener> Listener::Listen(Engine& engine, std::string path) {
  const Request request{.opcode = Opcode::kListen, .path = path.c_str()};
  const int64_t result = engine.Call(request);
  if (result == -EADDRINUSE) Throw(Errc::kExists, "listen at '{}': the path is taken", path);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "listen at '{}'", path);
  co_return Listener(Handle(engine, static_cast<int>(result)));
}

Listener Listener::Adopt(Engine& engine, UniqueFd fd) { return Listener(MakeNonBlocking(engine, std::move(fd))); }

Task<Socket> Listener::Accept() {
  const Request request{.opcode = Opcode::kAccept, .fd = fd()};
  for (;;) {
    const int64_t result = handle_.engine().Call(request);
    if (result >= 0) co_return Socket(Handle(handle_.engine(), static_cast<int>(result)));
    if (result == -ECONNABORTED || result == -EINTR) continue;
    if (result != -EAGAIN) ThrowErrno(static_cast<int>(-result), "accept a connection");
    co_await WaitReadable(handle_.engine(), fd());
  }
}

}  // namespace sluice::runtime
