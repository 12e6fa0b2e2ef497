// SPDX-License-Identifier: Apache-2.0
#include "runtime/op.h"

#include <cerrno>

#include "base/check.h"
#include "runtime/engine.h"
#include "runtime/system_calls.h"

namespace sluice::runtime {

Op::~Op() {
  SLUICE_CHECK(stage_ == Stage::kIdle || stage_ == Stage::kCompleted,
               "an operation is destroyed while it is in flight");
}

bool Op::Begin(const Context& context) noexcept {
  SLUICE_CHECK(&context.engine == &engine_, "an operation is awaited on another shard than that of its engine");
  if (stop_ == Stop::kHonoured) {
    if (context.stop.requested()) {
      result_ = -ECANCELED;
      return false;
    }
    context.stop.Subscribe(*this);
  }
  stage_ = Stage::kInFlight;
  engine_.Submit(*this);
  return true;
}

void Op::Complete(int64_t result) noexcept {
  SLUICE_CHECK(stage_ != Stage::kIdle && stage_ != Stage::kCompleted, "an operation completes twice");
  result_ = result;
  stage_ = Stage::kCompleted;
  StopCallback::Unlink();
  --engine_.in_flight_;
  engine_.Schedule(*this);
}

void Op::Run() noexcept {
  if (stage_ == Stage::kOnWorker) {
    // On a worker thread: the stage changes before Post(), whose mutex hands the object back to the engine's thread.
    result_ = MakeSystemCall(request_);
    stage_ = Stage::kReturning;
    return engine_.Post(*this);
  }
  if (stage_ == Stage::kReturning) {
    stage_ = Stage::kCompleted;
    StopCallback::Unlink();
    --engine_.in_flight_;
  }
  task_.resume();
}

// Does not look at the stage: a worker may be changing it.
void Op::OnStop() noexcept { engine_.Cancel(*this); }

}  // namespace sluice::runtime
