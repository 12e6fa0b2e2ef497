// SPDX-License-Identifier: Apache-2.0
#include "runtime/offload.h"

#include "base/check.h"
#include "base/error.h"

namespace sluice::runtime {

bool Offload::Job::Begin(const Context& context) noexcept {
  SLUICE_CHECK(&context.engine == &engine_, "offloaded work is awaited on another shard than that of its engine");
  if (context.stop.requested()) {
    stage_ = Stage::kDropped;
    return false;
  }
  context.stop.Subscribe(*this);
  if (!engine_.RunInsteadOfWorker(*this)) workers_.Push(*this, lane_);
  return true;
}

// First on a worker's thread, then on the engine's; Post() hands the object over.
void Offload::Job::Run() noexcept {
  if (stage_ == Stage::kQueued) {
    Work();
    stage_ = Stage::kWorked;
    return engine_.Post(*this);
  }
  StopCallback::Unlink();
  task_.resume();
}

void Offload::Job::OnStop() noexcept {
  if (!workers_.Remove(*this)) return;
  stage_ = Stage::kDropped;
  engine_.Schedule(*this);
}

void Offload::Job::ThrowUnlessWorked() const {
  if (stage_ == Stage::kDropped) Throw(Errc::kStopped, "stopped on request");
}

}  // namespace sluice::runtime
