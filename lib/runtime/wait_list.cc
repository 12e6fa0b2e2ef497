// SPDX-License-Identifier: Apache-2.0
#include "runtime/wait_list.h"

#include "base/error.h"
#include "runtime/engine.h"

namespace sluice::runtime {

bool Waiter::Begin(const Context& context) noexcept {
  stopped_ = context.stop.requested();
  if (stopped_) return false;
  engine_ = &context.engine;
  context.stop.Subscribe(*this);
  list_.waiters_.PushBack(*this);
  return true;
}

void Waiter::await_resume() const {
  if (stopped_) Throw(Errc::kStopped, "stopped on request");
}

void Waiter::OnStop() noexcept {
  Runnable::Unlink();
  stopped_ = true;
  engine_->Schedule(*this);
  list_.OnLeave();
}

void WaitList::WakeFirst() noexcept {
  Runnable* const first = waiters_.PopFront();
  if (first == nullptr) return;
  Waiter& waiter = static_cast<Waiter&>(*first);
  waiter.StopCallback::Unlink();
  waiter.engine_->Schedule(waiter);
}

void WaitList::WakeAll() noexcept {
  while (!empty()) WakeFirst();
}

}  // namespace sluice::runtime
