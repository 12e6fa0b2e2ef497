// SPDX-License-Identifier: Apache-2.0
#include "runtime/helpers.h"

#include <pthread.h>  // for pthread_setname_np
#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

#include "base/check.h"
#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/offload.h"

namespace sluice::runtime {
namespace {

// One thread is told, and nobody else before the next Rearm().
epoll_event OneEvent(int fd) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.fd = fd;
  return event;
}

}  // namespace

Helpers::Helpers(Engine& engine, int fd, size_t threads, const char* name, Runnable& on_readable)
    : engine_(engine),
      fd_(fd),
      on_readable_(on_readable),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      listening_(threads),
      running_(threads) {
  SLUICE_CHECK(threads > 0, "helpers without threads");
  if (!stop_ || !epoll_) ThrowErrno(errno, "helper threads: epoll");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = stop_.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) < 0) ThrowErrno(errno, "helper threads: eventfd");
  event = OneEvent(fd);
  event.events &= ~static_cast<uint32_t>(EPOLLIN);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) ThrowErrno(errno, "helper threads: descriptor {}", fd);
  helpers_.reserve(threads);
  engine_.Share();
  try {
    for (size_t i = 0; i < threads; ++i) {
      auto helper = std::make_unique<Helper>(*this);
      helper->thread = std::thread([this, &each = *helper, name] { ThreadMain(each, name); });
      helpers_.push_back(std::move(helper));
    }
  } catch (const std::system_error& error) {
    // Nothing is armed yet: those that run only wait.
    listening_ = running_ = helpers_.size();
    if (running_ > 0) return;
    engine_.Unshare();
    Throw(Errc::kLimit, "helper threads: {}", error.what());
  }
}

Helpers::~Helpers() {
  SLUICE_CHECK(running_ == 0, "helpers are stopped before they are destroyed");
  for (const auto& helper : helpers_) helper->thread.join();
  engine_.Unshare();
}

void Helpers::Rearm() noexcept {
  epoll_event event = OneEvent(fd_);
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd_, &event);
}

Task<void> Helpers::Stop() {
  eventfd_write(stop_.get(), 1);
  co_await WithoutStop(ended_.Wait());
}

void Helpers::ThreadMain(Helper& helper, const char* name) noexcept {
  pthread_setname_np(pthread_self(), name);
  while (WaitForEvent()) {
    // The last one that listens leaves calls to the Offload: what hangs must not make all of them deaf.
    const bool keep = --listening_ > 0;
    for (OffloadedCall* call = engine_.RunInTurn(on_readable_, keep); call != nullptr;) {
      call->Make();
      call = engine_.RunInTurn(*call, keep);
    }
    ++listening_;
  }
  // As mail: the loop's own thread takes it.
  engine_.Post(helper.end);
}

// False: it is over.
bool Helpers::WaitForEvent() const noexcept {
  for (;;) {
    epoll_event event{};
    const int count = epoll_wait(epoll_.get(), &event, 1, -1);
    if (count == 1) return event.data.fd == fd_;
    SLUICE_CHECK(count == 0 || errno == EINTR, "epoll_wait of a helper");
  }
}

void Helpers::OnEnd() noexcept {
  if (--running_ == 0) ended_.Set();
}

}  // namespace sluice::runtime
