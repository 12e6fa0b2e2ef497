// SPDX-License-Identifier: Apache-2.0
#pragma once
// The service manager (systemd, or our holder) as a program sees it: sd_notify(3) and sd_listen_fds(3).

#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace sluice::daemon {

// The name under which the API socket is kept.
constexpr const char* kApiSocketName = "api";

// Notifications; without a service manager they go nowhere.  May be called from any thread; none waits except Store.
class ServiceManager {
 public:
  // From NOTIFY_SOCKET.
  static ServiceManager FromEnvironment();

  // Whether there is one.
  bool present() const noexcept { return present_; }

  void Ready() const;
  void Stopping() const;
  // One line for people.
  void Status(std::string_view text) const;
  // Gives a copy of `fd` to the manager, which passes it to the next process under `name`.  Ends when the manager has
  // it. Throws kTimeout when it does not answer, kIo when it cannot be reached.
  void Store(const std::string& name, int fd) const;
  void Remove(const std::string& name) const;

 private:
  explicit ServiceManager(bool present) noexcept : present_(present) {}
  bool present_;
};

// What the service manager passed to this process, by name.  Each keeps its number.  To be called once, at the start.
std::map<std::string, UniqueFd> TakePassedDescriptors();

}  // namespace sluice::daemon
