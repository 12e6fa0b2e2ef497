// SPDX-License-Identifier: Apache-2.0
#include "runtime/sim_sockets.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::runtime {

namespace {

// Bytes that a sender may be ahead of its reader; small, so that tests meet the limit.
constexpr size_t kPipeBytes = 4096;
constexpr size_t kListenBacklog = 64;

}  // namespace

int64_t SimSockets::Listen(int fd, std::string_view path) {
  for (const auto& [other, listening] : listeners_) {
    if (listening.path == path) return -EADDRINUSE;
  }
  listeners_[fd].path = path;
  return fd;
}

int64_t SimSockets::Connect(int fd, std::string_view path) {
  for (auto& [listener, listening] : listeners_) {
    if (listening.path != path) continue;
    if (listening.waiting.size() >= kListenBacklog) return -EAGAIN;
    const Connection connection{std::make_shared<Pipe>(), std::make_shared<Pipe>()};
    listening.waiting.push_back({connection.out, connection.in});
    connections_[fd] = connection;
    return fd;
  }
  return -ENOENT;
}

int64_t SimSockets::Accept(int listener, int fd) {
  const auto at = listeners_.find(listener);
  if (at == listeners_.end()) return -EBADF;
  if (at->second.waiting.empty()) return -EAGAIN;
  connections_[fd] = std::move(at->second.waiting.front());
  at->second.waiting.pop_front();
  return fd;
}

int64_t SimSockets::Receive(int fd, MutableBytes dst) {
  const auto at = connections_.find(fd);
  if (at == connections_.end()) return -EBADF;
  Pipe& pipe = *at->second.in;
  if (pipe.bytes.empty()) return pipe.ended ? 0 : -EAGAIN;
  const size_t most = std::min(pipe.bytes.size(), dst.size());
  if (most == 0) return 0;
  const size_t count = 1 + rng_.Below(most);
  const auto end = pipe.bytes.begin() + static_cast<ptrdiff_t>(count);
  std::copy(pipe.bytes.begin(), end, dst.begin());
  pipe.bytes.erase(pipe.bytes.begin(), end);
  return static_cast<int64_t>(count);
}

int64_t SimSockets::Send(int fd, ConstBytes src) {
  const auto at = connections_.find(fd);
  if (at == connections_.end()) return -EBADF;
  Pipe& pipe = *at->second.out;
  if (pipe.ended || pipe.unread) return -EPIPE;
  const size_t most = std::min(kPipeBytes - pipe.bytes.size(), src.size());
  if (most == 0) return src.empty() ? 0 : -EAGAIN;
  const size_t count = 1 + rng_.Below(most);
  pipe.bytes.insert(pipe.bytes.end(), src.begin(), src.begin() + static_cast<ptrdiff_t>(count));
  return static_cast<int64_t>(count);
}

int64_t SimSockets::ShutdownSend(int fd) {
  const auto at = connections_.find(fd);
  if (at == connections_.end()) return -EBADF;
  at->second.out->ended = true;
  return 0;
}

void SimSockets::Close(Connection& connection) noexcept {
  connection.out->ended = true;
  connection.in->unread = true;
}

void SimSockets::Close(int fd) {
  if (const auto at = connections_.find(fd); at != connections_.end()) {
    Close(at->second);
    connections_.erase(at);
  }
  if (const auto at = listeners_.find(fd); at != listeners_.end()) {
    for (Connection& connection : at->second.waiting) Close(connection);
    listeners_.erase(at);
  }
}

bool SimSockets::IsReadable(int fd) const {
  if (const auto at = connections_.find(fd); at != connections_.end()) {
    return !at->second.in->bytes.empty() || at->second.in->ended;
  }
  const auto at = listeners_.find(fd);
  return at == listeners_.end() || !at->second.waiting.empty();
}

bool SimSockets::IsWritable(int fd) const {
  const auto at = connections_.find(fd);
  if (at == connections_.end()) return true;
  const Pipe& pipe = *at->second.out;
  return pipe.bytes.size() < kPipeBytes || pipe.ended || pipe.unread;
}

}  // namespace sluice::runtime
