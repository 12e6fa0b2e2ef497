// SPDX-License-Identifier: Apache-2.0
#pragma once
// How many requests run at one origin at a time.  Owned by one shard.

#include <cstdint>
#include <map>
#include <memory>

#include "http/url.h"
#include "runtime/semaphore.h"
#include "runtime/task.h"
#include "runtime/workers.h"  // for Lane

namespace sluice::http {

// The right to run one request; gives it back at destruction.
class HostSlot {
 public:
  HostSlot(HostSlot&&) noexcept = default;

 private:
  friend class HostSlots;
  struct Host;
  HostSlot() noexcept = default;
  std::shared_ptr<Host> host_;  // before the permits: outlives them
  runtime::Permit background_;
  runtime::Permit any_;
};

class HostSlots {
 public:
  // At most `requests` per origin, of which at most `background` are on the background lane.
  HostSlots(uint64_t requests, uint64_t background) noexcept : requests_(requests), background_(background) {}

  // Waits for a slot; each lane in order.
  runtime::Task<HostSlot> Acquire(Origin origin, runtime::Lane lane);

 private:
  const uint64_t requests_;
  const uint64_t background_;
  std::map<Origin, std::weak_ptr<HostSlot::Host>> hosts_;  // those in use, and some that are not any more
};

}  // namespace sluice::http
