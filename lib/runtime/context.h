// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a running task knows without being told: its engine and whether it is asked to stop.

#include <coroutine>

#include "runtime/stop.h"

namespace sluice::runtime {

class Engine;

// Made by whoever starts a task at the root (Engine::Run, Scope, RunOn) or narrows its life (WithTimeout), and outlives
// it.  A task hands its context to each task that it awaits.
struct Context {
  Engine& engine;
  StopToken stop;
};

// In a task: `const Context& context = co_await CurrentContext();`.  Does not suspend.
class CurrentContext {
 public:
  CurrentContext() noexcept {}
  bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> task) noexcept {
    context_ = &task.promise().context();
    return false;
  }
  const Context& await_resume() const noexcept { return *context_; }

 private:
  const Context* context_ = nullptr;
};

}  // namespace sluice::runtime
