// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ownership of a file descriptor.

#include <utility>

namespace sluice {

// Closes its descriptor at destruction.  -1 means none.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  // Gives the descriptor away; the caller closes it.
  int Release() noexcept { return std::exchange(fd_, -1); }
  // Closes the present descriptor, if any, and takes `fd`.
  void Reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

// A second descriptor of the same open file, close-on-exec.  Throws Error.
UniqueFd Duplicate(const UniqueFd& fd);

}  // namespace sluice
