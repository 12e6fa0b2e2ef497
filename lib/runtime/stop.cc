// SPDX-License-Identifier: Apache-2.0
#include "runtime/stop.h"

#include "base/error.h"

namespace sluice::runtime {

void StopSource::RequestStop() noexcept {
  if (requested_) return;
  requested_ = true;
  while (StopCallback* callback = callbacks_.PopFront()) callback->OnStop();
}

void StopToken::ThrowIfRequested() const {
  if (requested()) Throw(Errc::kStopped, "stopped on request");
}

}  // namespace sluice::runtime
