// SPDX-License-Identifier: Apache-2.0
#include "gates.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include <sys/resource.h>

#include "base/error.h"
#include "frontend/fanotify/event.h"

namespace sluice::daemon {

using frontend::fanotify::Gate;
using frontend::fanotify::Group;
using frontend::fanotify::Journal;
using frontend::fanotify::StaleNumbers;

namespace {

std::string GroupName(size_t index) { return fmt::format("group-{}", index); }
std::string JournalName(size_t index) { return fmt::format("journal-{}", index); }

UniqueFd Take(std::map<std::string, UniqueFd>& passed, const std::string& name) {
  const auto node = passed.extract(name);
  return node.empty() ? UniqueFd() : std::move(node.mapped());
}

// What was received under whatever number by a worker whose journal is lost.
uint64_t DenyAllNumbers(const Group& group) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) ThrowErrno(errno, "cannot read RLIMIT_NOFILE");
  uint64_t denied = 0;
  for (int number = 0; static_cast<rlim_t>(number) < limit.rlim_max; ++number) {
    if (group.Respond(number, frontend::fanotify::DenyWithIoError())) ++denied;
  }
  return denied;
}

Journal AdoptJournal(size_t index, UniqueFd fd, const Group& group, const ServiceManager& manager, Log& log) {
  try {
    if (!fd) Throw(Errc::kNotFound, "the holder has no journal of shard {}", index);
    return Journal::Adopt(std::move(fd));
  } catch (const Error& error) {
    const uint64_t denied = DenyAllNumbers(group);
    log.Error("{}: its {} waiting readers get EIO, beginning a new one", error.message(), denied);
  }
  Journal journal = Journal::Create();
  manager.Remove(JournalName(index));
  manager.Store(JournalName(index), journal.fd());
  return journal;
}

}  // namespace

size_t CountPassedGates(const std::map<std::string, UniqueFd>& passed) {
  size_t count = 0;
  while (passed.contains(GroupName(count))) ++count;
  return count;
}

std::vector<Gate> TakeGates(std::map<std::string, UniqueFd>& passed, const ServiceManager& manager, Log& log) {
  const size_t count = CountPassedGates(passed);
  std::vector<Gate> gates;
  for (size_t index = 0; index < count; ++index) {
    Group group = Group::Adopt(Take(passed, GroupName(index)));
    Journal journal = AdoptJournal(index, Take(passed, JournalName(index)), group, manager, log);
    gates.push_back({.group = std::move(group), .journal = std::move(journal), .stale_numbers = {}});
  }
  for (Gate& gate : gates) gate.stale_numbers = StaleNumbers(gate.journal.stale());
  return gates;
}

std::vector<Gate> MakeGates(size_t count, const ServiceManager& manager) {
  std::vector<Gate> gates;
  for (size_t index = 0; index < count; ++index) {
    Gate gate{.group = Group::Create(), .journal = Journal::Create(), .stale_numbers = {}};
    manager.Store(GroupName(index), gate.group.fd());
    manager.Store(JournalName(index), gate.journal.fd());
    gates.push_back(std::move(gate));
  }
  return gates;
}

}  // namespace sluice::daemon
