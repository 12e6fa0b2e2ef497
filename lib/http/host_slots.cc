// SPDX-License-Identifier: Apache-2.0
#include "http/host_slots.h"

namespace sluice::http {

using runtime::Task;

struct HostSlot::Host {
  Host(uint64_t requests, uint64_t most_background) noexcept : any(requests), background(most_background) {}
  runtime::Semaphore any;
  runtime::Semaphore background;
};

Task<HostSlot> HostSlots::Acquire(Origin origin, runtime::Lane lane) {
  HostSlot slot;
  slot.host_ = hosts_[origin].lock();
  if (slot.host_ == nullptr) {
    std::erase_if(hosts_, [](const auto& each) { return each.second.expired(); });
    slot.host_ = std::make_shared<HostSlot::Host>(requests_, background_);
    hosts_[origin] = slot.host_;
  }
  if (lane == runtime::Lane::kBackground) slot.background_ = co_await slot.host_->background.Acquire(1);
  slot.any_ = co_await slot.host_->any.Acquire(1);
  co_return slot;
}

}  // namespace sluice::http
