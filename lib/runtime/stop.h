// SPDX-License-Identifier: Apache-2.0
#pragma once
// Stop requests.  A request asks running work to end early; the work ends by itself.  All on one shard; not
// thread-safe.

#include "runtime/intrusive_list.h"

namespace sluice::runtime {

// Told once when its source is asked to stop.  Unsubscribes at destruction.
class StopCallback : public ListHook {
 public:
  StopCallback() noexcept = default;
  virtual ~StopCallback() { Unlink(); }

 protected:
  friend class StopSource;
  // Runs inside RequestStop(); may subscribe, unsubscribe and destroy callbacks, but resumes no task.
  virtual void OnStop() noexcept = 0;
};

// Owns the request.  Outlives its callbacks and the tasks that run under it.
class StopSource {
 public:
  bool requested() const noexcept { return requested_; }
  // Tells every callback, oldest first.  Later calls do nothing.
  void RequestStop() noexcept;

 private:
  friend class StopToken;
  bool requested_ = false;
  IntrusiveList<StopCallback> callbacks_;
};

// The view of a source that tasks get with their context.
class StopToken {
 public:
  explicit StopToken(StopSource& source) noexcept : source_(&source) {}

  bool requested() const noexcept { return source_->requested_; }
  // `callback` is told of a later request; one that was made before is not repeated for it.
  void Subscribe(StopCallback& callback) const noexcept { source_->callbacks_.PushBack(callback); }
  // Throws kStopped when the stop was requested.  For loops that compute between two operations.
  void ThrowIfRequested() const;

 private:
  StopSource* source_;
};

// A source that is also stopped by the request of a parent.  The parent outlives it.
class LinkedStopSource final : private StopCallback {
 public:
  explicit LinkedStopSource(StopToken parent) noexcept {
    parent.Subscribe(*this);
    if (parent.requested()) OnStop();
  }
  StopSource& source() noexcept { return source_; }
  StopToken token() noexcept { return StopToken(source_); }
  void RequestStop() noexcept { source_.RequestStop(); }

 private:
  void OnStop() noexcept override { source_.RequestStop(); }
  StopSource source_;
};

}  // namespace sluice::runtime
