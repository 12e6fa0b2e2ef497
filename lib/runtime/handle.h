// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ownership of a descriptor that an engine has made: one of the kernel, or one of the simulator.

#include <utility>

#include "runtime/engine.h"

namespace sluice::runtime {

// Closes its descriptor at destruction.  Belongs to the shard of its engine, which outlives it.
class Handle {
 public:
  Handle() noexcept = default;
  Handle(Engine& engine, int fd) noexcept : engine_(&engine), fd_(fd) {}
  Handle(Handle&& other) noexcept : engine_(other.engine_), fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      Close();
      engine_ = other.engine_;
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Handle() { Close(); }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  // Of a handle that was made with one.
  Engine& engine() const noexcept { return *engine_; }
  void Close() noexcept {
    if (fd_ < 0) return;
    const Request request{.opcode = Opcode::kClose, .fd = std::exchange(fd_, -1)};
    engine_->Call(request);
  }

 private:
  Engine* engine_ = nullptr;
  int fd_ = -1;
};

}  // namespace sluice::runtime
