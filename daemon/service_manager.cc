// SPDX-License-Identifier: Apache-2.0
#include "service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <chrono>
#include <cstdlib>

#include "base/error.h"

namespace sluice::daemon {
namespace {

constexpr std::chrono::microseconds kStoreTimeout = std::chrono::seconds(10);
constexpr int kKeepEnvironment = 0;

}  // namespace

ServiceManager ServiceManager::FromEnvironment() { return ServiceManager(std::getenv("NOTIFY_SOCKET") != nullptr); }

// That the manager is gone is no reason to stop serving: the results of plain notifications do not matter.
void ServiceManager::Ready() const { sd_notify(kKeepEnvironment, "READY=1"); }
void ServiceManager::Stopping() const { sd_notify(kKeepEnvironment, "STOPPING=1"); }
void ServiceManager::Status(std::string_view text) const {
  sd_notify(kKeepEnvironment, fmt::format("STATUS={}", text).c_str());
}

void ServiceManager::Store(const std::string& name, int fd) const {
  // FDPOLL=0: keep it whatever poll(2) says about it.
  const std::string text = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name);
  const int sent = sd_pid_notify_with_fds(0, kKeepEnvironment, text.c_str(), &fd, 1);
  if (sent < 0) ThrowErrno(-sent, "cannot give descriptor '{}' to the holder", name);
  if (sent == 0) Throw(Errc::kNotFound, "there is no holder (NOTIFY_SOCKET) for descriptor '{}'", name);
  const int done = sd_notify_barrier(kKeepEnvironment, kStoreTimeout.count());
  if (done < 0) ThrowErrno(-done, "the holder did not confirm descriptor '{}'", name);
}

void ServiceManager::Remove(const std::string& name) const {
  sd_notify(kKeepEnvironment, fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name).c_str());
}

std::map<std::string, UniqueFd> TakePassedDescriptors() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &names);
  if (count < 0) ThrowErrno(-count, "cannot take the descriptors of the service manager");
  std::map<std::string, UniqueFd> passed;
  for (int index = 0; index < count; ++index) {
    passed.insert_or_assign(names[index], UniqueFd(SD_LISTEN_FDS_START + index));
    std::free(names[index]);
  }
  std::free(names);
  return passed;
}

}  // namespace sluice::daemon
