// SPDX-License-Identifier: Apache-2.0
#include "runtime/event.h"

namespace sluice::runtime {

void Event::Set() noexcept {
  set_ = true;
  WakeAll();
}

Task<void> Event::Wait() {
  if (!set_) co_await Waiter(*this);
}

}  // namespace sluice::runtime
