// SPDX-License-Identifier: Apache-2.0
// The part of Door that answers for a previous worker.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "frontend/fanotify/door.h"
#include "runtime/combine.h"

namespace sluice::frontend::fanotify {

runtime::Task<void> Door::Recover(bool all_served) {
  std::map<uint32_t, std::vector<StaleEvent>> slots;
  for (const StaleEvent& stale : gate_.journal.TakeStale()) slots[stale.slot].push_back(stale);
  if (slots.empty()) co_return;
  log_.Info("answering {} events that the previous worker left", slots.size());
  std::vector<runtime::Task<void>> answers;
  for (auto& [slot, events] : slots) answers.push_back(AnswerStale(slot, std::move(events), all_served));
  co_await runtime::WhenAll(std::move(answers));
}

runtime::Task<void> Door::AnswerStale(uint32_t slot, std::vector<StaleEvent> events, bool all_served) {
  for (const StaleEvent& stale : events) {
    if (!stale.event.WantsAnswer()) continue;
    const uint32_t verdict = co_await VerdictOnStale(stale, all_served);
    Respond(stale.event.fd, verdict);
  }
  FreeSlot(slot);
  for (const StaleEvent& stale : events) gate_.stale_numbers.Free(stale.event.fd);
}

runtime::Task<uint32_t> Door::VerdictOnStale(StaleEvent stale, bool all_served) {
  const auto meant = MeantBy(stale);
  if (stale.identity ? meant.empty() : !all_served) co_return DenyWithIoError();
  for (const auto& served : meant) {
    co_await ProvokeData(*served);
    const uint32_t verdict = co_await Verdict(*served, served->Clamp(stale.event.range));
    if (verdict != kAllow) co_return verdict;
  }
  co_return kAllow;
}

std::vector<ServedBlob::Use> Door::MeantBy(const StaleEvent& stale) const {
  std::vector<ServedBlob::Use> meant;
  if (stale.identity) {
    if (auto served = Find(*stale.identity)) meant.push_back(std::move(served));
    return meant;
  }
  for (const auto& [identity, served] : served_) {
    if (!served->blob().complete()) meant.emplace_back(*served);
  }
  return meant;
}

runtime::Task<void> Door::ProvokeData(ServedBlob& served) {
  // No event has brought a descriptor yet, and a reader that waits under a stale number brings none: so ask a question
  // ourselves, on a thread that may wait for the answer.  A complete blob needs none and has no mark.
  if (served.blob().has_data() || served.blob().complete()) co_return;
  auto ask = [path = served.blob().data_path()] {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::byte byte;
    if (!file || ::pread(file.get(), &byte, kProvocation.length, static_cast<off_t>(kProvocation.offset)) < 0) {
      ThrowErrno(errno, "cannot provoke an event of '{}'", path);
    }
  };
  try {
    co_await blocking_.Run(engine_, std::move(ask));
  } catch (const Error& error) {
    errors_.Report(error.message(), "its readers get EIO until another event comes");
  }
}

}  // namespace sluice::frontend::fanotify
