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
  if (engine_.RunInsteadOfWorker(*this)) return true;
  if (offload_.by_helpers_ == ByHelpers::kYes && lane_ == Lane::kDemand && engine_.Keep(*this)) return true;
  offload_.workers_.Push(*this, lane_);
  return true;
}

void Offload::Job::Make() noexcept {
  Work();
  stage_ = Stage::kWorked;
}

// First on a worker's thread, unless a helper has made the call, then on the engine's; Post() hands the object over.
void Offload::Job::Run() noexcept {
  if (stage_ == Stage::kQueued) {
    Make();
    return engine_.Post(*this);
  }
  StopCallback::Unlink();
  task_.resume();
}

void Offload::Job::OnStop() noexcept {
  if (!offload_.workers_.Remove(*this)) return;
  stage_ = Stage::kDropped;
  engine_.Schedule(*this);
}

void Offload::Job::ThrowUnlessWorked() const {
  if (stage_ == Stage::kDropped) Throw(Errc::kStopped, "stopped on request");
}

}  // namespace sluice::runtime
