// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/door.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "runtime/file.h"

namespace sluice::frontend::fanotify {
namespace {

// So many events are read before other tasks of the shard get their turn.
constexpr int kBurst = 32;

}  // namespace

Door::Door(runtime::Engine& engine, runtime::Offload& blocking, Gate gate, Log& log)
    : engine_(engine),
      blocking_(blocking),
      log_(log),
      gate_(std::move(gate)),
      errors_(engine, log),
      scope_(engine, "fanotify door") {}

Door::~Door() { SLUICE_CHECK(served_.empty(), "a door is destroyed that still serves blobs"); }

void Door::Open() { scope_.Spawn(Serve()); }

runtime::Task<void> Door::Close() {
  scope_.RequestStop();
  return scope_.Join();
}

void Door::Add(cache::BlobCache& blob) {
  if (const auto known = FindBlob(blob); known != served_.end()) {
    known->second->AddUser();
    return;
  }
  auto served = std::make_unique<ServedBlob>(gate_.group, errors_, blob);
  served->AddUser();
  served_.insert_or_assign(served->identity(), std::move(served));
}

void Door::Opened(cache::BlobCache& blob) noexcept {
  const auto known = FindBlob(blob);
  SLUICE_CHECK(known != served_.end(), "a blob that its door does not serve");
  known->second->Opened();
}

runtime::Task<void> Door::Remove(cache::BlobCache& blob) {
  const auto known = FindBlob(blob);
  SLUICE_CHECK(known != served_.end(), "a blob that its door does not serve");
  if (known->second->RemoveUser()) co_return;
  const std::unique_ptr<ServedBlob> served = std::move(served_.extract(known).mapped());
  co_await served->Unused();
}

Door::ServedBlobs::iterator Door::FindBlob(const cache::BlobCache& blob) noexcept {
  return std::find_if(served_.begin(), served_.end(),
                      [&](const auto& entry) { return &entry.second->blob() == &blob; });
}

ServedBlob::Use Door::Find(const FileIdentity& identity) const {
  const auto found = served_.find(identity);
  return found == served_.end() ? ServedBlob::Use() : ServedBlob::Use(*found->second);
}

runtime::Task<uint32_t> Door::TakeSlot() {
  for (;;) {
    if (const auto slot = gate_.journal.Take()) co_return *slot;
    slot_freed_.Reset();
    co_await slot_freed_.Wait();
  }
}

void Door::FreeSlot(uint32_t slot) {
  gate_.journal.Clear(slot);
  slot_freed_.Set();
}

runtime::Task<void> Door::Serve() {
  try {
    co_await ReadEvents();
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    if (known != nullptr && known->code() == Errc::kStopped) throw;
    // Readers would wait for ever.  The next worker finds their events on record.
    log_.Error("cannot serve any more, leaving it to the next worker: {}", error.what());
    std::abort();
  }
}

runtime::Task<void> Door::ReadEvents() {
  for (;;) {
    co_await runtime::WaitReadable(engine_, gate_.group.fd());
    for (int count = 0; count < kBurst; ++count) {
      const uint32_t slot = co_await TakeSlot();
      if (gate_.group.Read(gate_.journal.Message(slot)) == 0) {
        FreeSlot(slot);
        break;
      }
      Receive(slot);
    }
  }
}

// The way of every event: short, and without an allocation as long as the answer is at hand.
void Door::Receive(uint32_t slot) {
  Questions questions = Read(slot);
  bool known = true;
  for (uint32_t index = 0; index < questions.count; ++index) {
    Question& question = questions.all[index];
    question.verdict = VerdictAtOnce(question);
    if (question.verdict != 0) {
      Respond(question.event.fd, question.verdict);
    } else {
      known = false;
    }
  }
  if (known) {
    Finish(slot, questions);
  } else {
    scope_.Spawn(Answer(slot, std::move(questions)));
  }
}

Door::Questions Door::Read(uint32_t slot) {
  Questions questions;
  std::optional<FileIdentity> file;
  bool one_file = true;
  EventReader reader(gate_.journal.Message(slot));
  while (const auto event = reader.Next()) {
    ++stats_.events;
    if (!event->WantsAnswer()) {
      ++stats_.errors;
      errors_.Report(fmt::format("event with mask {:#x} and descriptor {}", event->mask, event->fd),
                     "the kernel has answered it by itself");
      continue;
    }
    Question& question = questions.all.at(questions.count++);
    question.event = *event;
    const FileIdentity identity = IdentityOf(event->fd);
    one_file = one_file && (!file || *file == identity);
    file = identity;
    question.served = Find(identity);
    if (question.served && !question.served->blob().has_data()) AdoptData(*question.served, event->fd);
  }
  if (file && one_file) gate_.journal.Identify(slot, *file);
  return questions;
}

uint32_t Door::VerdictAtOnce(const Question& question) {
  if (!question.served) {
    ++stats_.errors;
    errors_.Report("a marked file that is not served is read", "the reader gets EIO");
    return DenyWithIoError();
  }
  // Nobody looks at the byte that is read; the question was for the descriptor.
  if (question.event.range == kProvocation && question.event.pid == ::getpid()) return kAllow;
  if (!question.served->blob().TryHit(question.served->Clamp(question.event.range))) return 0;
  ++stats_.hits;
  return kAllow;
}

runtime::Task<void> Door::Answer(uint32_t slot, Questions questions) {
  for (uint32_t index = 0; index < questions.count; ++index) {
    Question& question = questions.all[index];
    if (question.verdict != 0) continue;
    ++stats_.misses;
    const ByteRange range = question.served->Clamp(question.event.range);
    question.verdict = co_await Verdict(*question.served, range);
    Respond(question.event.fd, question.verdict);
  }
  Finish(slot, questions);
}

runtime::Task<uint32_t> Door::Verdict(ServedBlob& served, ByteRange range) {
  try {
    co_await served.blob().Ensure(range);
    co_return kAllow;
  } catch (const std::exception& error) {
    ++stats_.errors;
    errors_.Report(error.what(), "the reader gets EIO");
  }
  co_return DenyWithIoError();
}

void Door::Finish(uint32_t slot, const Questions& questions) {
  // First off the record, then the number is free for the next event.
  FreeSlot(slot);
  for (uint32_t index = 0; index < questions.count; ++index) ::close(questions.all[index].event.fd);
}

void Door::Respond(int event_fd, uint32_t response) {
  try {
    // Nobody waits any more when the reader was killed.
    gate_.group.Respond(event_fd, response);
  } catch (const Error& error) {
    errors_.Report(error.message(), "its reader waits until it is killed");
  }
}

void Door::AdoptData(ServedBlob& served, int event_fd) {
  // The descriptor of an event raises no events itself, and it is open for writing.
  UniqueFd data(::fcntl(event_fd, F_DUPFD_CLOEXEC, 0));
  if (!data) {
    errors_.Report(fmt::format("cannot keep a descriptor of '{}': errno {}", served.blob().data_path(), errno),
                   "the next event brings another");
    return;
  }
  served.blob().AttachData(runtime::File::Adopt(engine_, std::move(data), served.blob().data_path()));
}

}  // namespace sluice::frontend::fanotify
