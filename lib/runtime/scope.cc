// SPDX-License-Identifier: Apache-2.0
#include "runtime/scope.h"

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "runtime/combine.h"

namespace sluice::runtime {

// A spawned task.  Deletes itself: the end of the task is told from inside its frame, so that the frame goes in a turn
// of the loop of its own.
class Scope::Child final : public Runnable {
 public:
  Child(Scope& scope, Task<void> task) noexcept : scope_(scope), task_(std::move(task)) {}

  void Start() noexcept {
    if (task_.Start(scope_.context_, *this)) Finish();
  }

 private:
  void Run() noexcept override {
    if (!std::exchange(told_, true)) {
      scope_.engine_.Schedule(*this);
    } else {
      Finish();
    }
  }
  void Finish() noexcept {
    std::exception_ptr error;
    try {
      task_.TakeResult();
    } catch (const Error& e) {
      if (e.code() != Errc::kStopped) error = std::current_exception();
    } catch (...) {
      error = std::current_exception();
    }
    Scope& scope = scope_;
    delete this;
    scope.OnEnd(std::move(error));
  }

  Scope& scope_;
  Task<void> task_;
  bool told_ = false;
};

Scope::Scope(Engine& engine, std::string_view name) : engine_(engine), name_(name), context_{engine, StopToken(stop_)} {
  idle_.Set();
}

Scope::~Scope() {
  if (running_ > 0) {
    std::fprintf(stderr, "scope '%s': %llu tasks run\n", name_.c_str(), static_cast<unsigned long long>(running_));
  }
  SLUICE_CHECK(running_ == 0, "a scope is destroyed before it is joined");
}

void Scope::Spawn(Task<void> task) {
  auto* const child = new Child(*this, std::move(task));
  ++running_;
  idle_.Reset();
  child->Start();
}

void Scope::OnEnd(std::exception_ptr error) noexcept {
  if (error && !first_error_) first_error_ = std::move(error);
  if (--running_ == 0) idle_.Set();
}

Task<void> Scope::Join() {
  while (running_ > 0) co_await WithoutStop(idle_.Wait());
  if (first_error_) std::rethrow_exception(std::exchange(first_error_, nullptr));
}

}  // namespace sluice::runtime
