// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/error.h"

namespace sluice::frontend::fanotify {
namespace {

constexpr uint64_t kMagic = 0x314C4E524A435553;  // "SUCJRNL1" in memory order
constexpr uint64_t kHeaderBytes = 64;
constexpr uint64_t kSlotBytes = 64;
constexpr uint64_t kJournalBytes = kHeaderBytes + Journal::kSlots * kSlotBytes;
// A memfd that cannot shrink cannot take the mapping away from under us.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

struct Header {
  uint64_t magic;
  uint32_t slot_bytes;
  uint32_t slot_count;
  std::byte reserved[48];
};
static_assert(sizeof(Header) == kHeaderBytes);

std::byte* Map(const UniqueFd& fd) {
  void* memory = ::mmap(nullptr, kJournalBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) ThrowErrno(errno, "cannot map the journal of {} bytes", kJournalBytes);
  return static_cast<std::byte*>(memory);
}

}  // namespace

// One cache line.  `message` is what the kernel wrote: its first word, event_len, is 0 in an empty slot.
struct Journal::Slot {
  alignas(8) std::byte message[kEventBytes];
  uint64_t device;
  uint64_t inode;  // 0: not identified; no file has the inode number 0

  std::atomic_ref<uint32_t> EventLength() noexcept {
    return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(message));
  }
};

Journal Journal::Create() {
  static_assert(sizeof(Slot) == kSlotBytes);
  UniqueFd fd(::memfd_create("sluice-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) ThrowErrno(errno, "cannot create the journal");
  if (::ftruncate(fd.get(), static_cast<off_t>(kJournalBytes)) != 0 || ::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    ThrowErrno(errno, "cannot size the journal to {} bytes", kJournalBytes);
  }
  std::byte* memory = Map(fd);
  Journal journal(std::move(fd), memory);
  const Header header{.magic = kMagic, .slot_bytes = kSlotBytes, .slot_count = kSlots, .reserved = {}};
  std::memcpy(memory, &header, sizeof(header));
  for (uint32_t slot = kSlots; slot > 0; --slot) journal.free_.push_back(slot - 1);
  return journal;
}

Journal Journal::Adopt(UniqueFd fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) ThrowErrno(errno, "cannot examine the journal");
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || static_cast<uint64_t>(status.st_size) != kJournalBytes) {
    Throw(Errc::kUnsupported, "journal: {} bytes with seals {:#x}, expected {} bytes with {:#x}", status.st_size, seals,
          kJournalBytes, kSeals);
  }
  std::byte* memory = Map(fd);
  Journal journal(std::move(fd), memory);
  Header header;
  std::memcpy(&header, memory, sizeof(header));
  if (header.magic != kMagic || header.slot_bytes != kSlotBytes || header.slot_count != kSlots) {
    Throw(Errc::kUnsupported, "journal: magic {:#x}, {} slots of {} bytes, expected {:#x}, {} slots of {}",
          header.magic, header.slot_count, header.slot_bytes, kMagic, kSlots, kSlotBytes);
  }
  for (uint32_t index = kSlots; index > 0; --index) {
    const uint32_t number = index - 1;
    Slot& slot = journal.At(number);
    if (slot.EventLength().load(std::memory_order_acquire) == 0) {
      journal.free_.push_back(number);
      continue;
    }
    std::optional<FileIdentity> identity;
    if (slot.inode != 0) identity = FileIdentity{slot.device, slot.inode};
    try {
      EventReader reader(slot.message);
      while (const auto event = reader.Next()) {
        journal.stale_.push_back({.slot = number, .event = *event, .identity = identity});
      }
    } catch (const Error&) {
      journal.stale_.push_back({.slot = number, .event = {}, .identity = identity});
    }
  }
  return journal;
}

Journal::~Journal() {
  if (memory_ != nullptr) ::munmap(memory_, kJournalBytes);
}

Journal::Journal(Journal&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      free_(std::move(other.free_)),
      taken_(other.taken_),
      stale_(std::move(other.stale_)) {}

Journal::Slot& Journal::At(uint32_t slot) const noexcept {
  SLUICE_CHECK(slot < kSlots, "a journal slot that does not exist");
  return *reinterpret_cast<Slot*>(memory_ + kHeaderBytes + slot * kSlotBytes);
}

std::optional<uint32_t> Journal::Take() noexcept {
  if (taken_.count() >= free_.size()) return std::nullopt;
  const uint32_t slot = free_.back();
  free_.pop_back();
  taken_.set(slot);
  std::memset(&At(slot), 0, sizeof(Slot));
  return slot;
}

MutableBytes Journal::Message(uint32_t slot) noexcept { return At(slot).message; }

void Journal::Identify(uint32_t slot, FileIdentity identity) noexcept {
  Slot& record = At(slot);
  record.device = identity.device;
  // Last: a slot with an inode number is identified.
  std::atomic_ref<uint64_t>(record.inode).store(identity.inode, std::memory_order_release);
}

void Journal::Clear(uint32_t slot) noexcept {
  At(slot).EventLength().store(0, std::memory_order_release);
  free_.push_back(slot);
  taken_.reset(slot);
}

}  // namespace sluice::frontend::fanotify
