// SPDX-License-Identifier: Apache-2.0
#include "runtime/epoll_engine.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>  // for preadv2
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/op.h"
#include "runtime/system_calls.h"
#include "runtime/workers.h"

namespace sluice::runtime {

namespace {

// Files are read and written by this many threads per engine.
constexpr size_t kThreads = 4;
// Descriptors whose events one epoll_wait() brings; the rest comes with the next.
constexpr size_t kEventsPerTurn = 64;

bool IsWait(Opcode opcode) noexcept { return opcode == Opcode::kWaitReadable || opcode == Opcode::kWaitWritable; }

// -1: no limit.  Rounded up, so that a timer is due when the wait ends.
int ToMilliseconds(std::optional<Duration> wait) noexcept {
  if (!wait) return -1;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*wait).count();
  return static_cast<int>(std::clamp<int64_t>(rounded, 0, 1 << 30));
}

class EpollEngine final : public Engine {
 public:
  explicit EpollEngine(std::string reason);

  std::string_view name() const noexcept override { return "epoll"; }
  TimePoint Now() const noexcept override { return std::chrono::steady_clock::now(); }
  int64_t Call(const Request& request) noexcept override { return MakeSystemCall(request); }

 private:
  // Who waits for a descriptor; one each way.
  struct Watch {
    Op* readable = nullptr;
    Op* writable = nullptr;
    uint32_t Interest() const noexcept {
      return (readable != nullptr ? static_cast<uint32_t>(EPOLLIN) : 0u) |
             (writable != nullptr ? static_cast<uint32_t>(EPOLLOUT) : 0u);
    }
  };

  void Start(Op& op) noexcept override;
  void RequestCancel(Op& op) noexcept override;
  void Poll(std::optional<Duration> wait) noexcept override;
  void Interrupt() noexcept override;

  static Op*& Place(Watch& watch, const Op& op) noexcept {
    return op.request().opcode == Opcode::kWaitReadable ? watch.readable : watch.writable;
  }
  void StartWait(Op& op) noexcept;
  void OnReady(int fd, uint32_t events) noexcept;
  // Tells the kernel what is still waited for; forgets a descriptor that nobody waits for.
  void UpdateInterest(int fd) noexcept;

  UniqueFd epoll_;
  UniqueFd wake_;
  std::unordered_map<int, Watch> watches_;
  Workers workers_;
};

EpollEngine::EpollEngine(std::string reason)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      workers_(kThreads, "sluice-file") {
  if (!epoll_ || !wake_) ThrowErrno(errno, "epoll engine");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) < 0) ThrowErrno(errno, "epoll engine: eventfd");
  SetReason(std::move(reason));
}

void EpollEngine::Start(Op& op) noexcept {
  const Request& request = op.request();
  if (IsWait(request.opcode)) return StartWait(op);
  if (request.opcode == Opcode::kRead) {
    // What is in the page cache costs no thread switch.  A short result may mean "the rest is not cached": the reader
    // asks again, and then the first byte is missing.
    const iovec part{request.buffer, request.size};
    const ssize_t got = preadv2(request.fd, &part, 1, static_cast<off_t>(request.offset), RWF_NOWAIT);
    if (got > 0) return op.Complete(got);
  }
  op.MoveToWorker();
  workers_.Push(op);
}

void EpollEngine::StartWait(Op& op) noexcept {
  const int fd = op.request().fd;
  const auto [at, added] = watches_.try_emplace(fd);
  Op*& place = Place(at->second, op);
  if (place != nullptr) return op.Complete(-EBUSY);
  place = &op;
  epoll_event event{};
  event.events = at->second.Interest();
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0) return;
  const int error = errno;
  place = nullptr;
  if (added) watches_.erase(at);
  // A regular file is always ready; epoll refuses it with EPERM.
  op.Complete(error == EPERM ? 0 : -error);
}

void EpollEngine::RequestCancel(Op& op) noexcept {
  if (!IsWait(op.request().opcode)) {
    if (workers_.Remove(op)) op.Complete(-ECANCELED);
    return;
  }
  const int fd = op.request().fd;
  Place(watches_.at(fd), op) = nullptr;
  UpdateInterest(fd);
  op.Complete(-ECANCELED);
}

void EpollEngine::UpdateInterest(int fd) noexcept {
  const auto at = watches_.find(fd);
  epoll_event event{};
  event.events = at->second.Interest();
  event.data.fd = fd;
  epoll_ctl(epoll_.get(), event.events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, fd, &event);
  if (event.events == 0) watches_.erase(at);
}

void EpollEngine::OnReady(int fd, uint32_t events) noexcept {
  const auto at = watches_.find(fd);
  if (at == watches_.end()) return;
  Watch& watch = at->second;
  // An error or a hang-up is told to both directions: the next call on the descriptor says which.
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (watch.readable != nullptr && (broken || (events & EPOLLIN) != 0)) {
    std::exchange(watch.readable, nullptr)->Complete(0);
  }
  if (watch.writable != nullptr && (broken || (events & EPOLLOUT) != 0)) {
    std::exchange(watch.writable, nullptr)->Complete(0);
  }
  UpdateInterest(fd);
}

void EpollEngine::Poll(std::optional<Duration> wait) noexcept {
  std::array<epoll_event, kEventsPerTurn> events;
  int count = 0;
  {
    const Away away(*this);
    count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), ToMilliseconds(wait));
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.fd == wake_.get()) {
      eventfd_t drained;
      eventfd_read(wake_.get(), &drained);
    } else {
      OnReady(event.data.fd, event.events);
    }
  }
}

void EpollEngine::Interrupt() noexcept { eventfd_write(wake_.get(), 1); }

}  // namespace

std::unique_ptr<Engine> MakeEpollEngine(std::string reason) { return std::make_unique<EpollEngine>(std::move(reason)); }

}  // namespace sluice::runtime
