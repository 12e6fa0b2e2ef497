// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "base/error.h"
#include "support/fanotify_message.h"

namespace sluice::frontend::fanotify {
namespace {

// What the kernel does in read(2).
void Put(Journal& journal, uint32_t slot, const std::vector<std::byte>& message) {
  std::copy(message.begin(), message.end(), journal.Message(slot).begin());
}

Journal Successor(const Journal& journal) {
  return Journal::Adopt(UniqueFd(::fcntl(journal.fd(), F_DUPFD_CLOEXEC, 3)));
}

std::vector<std::byte> Read(int32_t fd, uint64_t offset, uint64_t count) {
  return test::EventBytes({.fd = fd}, {test::RangeRecord(offset, count)});
}

TEST_CASE("a new journal has nothing stale and gives out half of its slots") {
  Journal journal = Journal::Create();
  CHECK(journal.stale().empty());
  std::set<uint32_t> taken;
  while (const auto slot = journal.Take()) taken.insert(*slot);
  CHECK(taken.size() == Journal::kSlots / 2);
  journal.Clear(7);
  CHECK(journal.Take() == 7u);
  CHECK_FALSE(journal.Take());
}

void FillAndPass(const Journal& journal, int generations) {
  Journal next = Successor(journal);
  uint32_t taken = 0;
  while (const auto slot = next.Take()) {
    Put(next, *slot, Read(40, 0, 4096));
    ++taken;
  }
  CHECK(taken >= 1);
  if (generations > 1) FillAndPass(next, generations - 1);
}

TEST_CASE("a worker that dies with as many events as it may have leaves slots to the next") {
  FillAndPass(Journal::Create(), 6);
}

TEST_CASE("the successor finds what the kernel handed out, with the file when it was noted") {
  Journal journal = Journal::Create();
  const uint32_t noted = journal.Take().value();
  Put(journal, noted, Read(40, 4096, 8192));
  journal.Identify(noted, {.device = 259, .inode = 12});
  const uint32_t unnoted = journal.Take().value();
  Put(journal, unnoted, Read(41, 0, 4096));
  journal.Take();  // read(2) had not returned an event yet

  Journal next = Successor(journal);
  REQUIRE(next.stale().size() == 2);
  auto stale = next.stale();
  std::sort(stale.begin(), stale.end(), [](const auto& a, const auto& b) { return a.event.fd < b.event.fd; });
  CHECK(stale[0].slot == noted);
  CHECK(stale[0].event.range == ByteRange{4096, 8192});
  CHECK(stale[0].identity == FileIdentity{259, 12});
  CHECK(stale[1].event.fd == 41);
  CHECK_FALSE(stale[1].identity);
}

TEST_CASE("a cleared slot is not stale, and does not lend its file to the next event") {
  Journal journal = Journal::Create();
  const uint32_t slot = journal.Take().value();
  Put(journal, slot, Read(40, 4096, 8192));
  journal.Identify(slot, {.device = 259, .inode = 12});
  journal.Clear(slot);
  CHECK(Successor(journal).stale().empty());

  REQUIRE(journal.Take() == slot);
  Put(journal, slot, Read(41, 0, 4096));
  const Journal next = Successor(journal);
  REQUIRE(next.stale().size() == 1);
  CHECK_FALSE(next.stale()[0].identity);
}

TEST_CASE("a stale slot is not given out before it is cleared") {
  Journal journal = Journal::Create();
  const uint32_t slot = journal.Take().value();
  Put(journal, slot, Read(40, 0, 1));
  Journal next = Successor(journal);
  std::set<uint32_t> taken;
  while (const auto other = next.Take()) taken.insert(*other);
  CHECK(taken.size() == Journal::kSlots / 2);
  CHECK(taken.count(slot) == 0);
  next.Clear(*taken.begin());
  next.Clear(slot);
  CHECK(next.Take() == slot);
}

TEST_CASE("both events of one slot are stale") {
  Journal journal = Journal::Create();
  const uint32_t slot = journal.Take().value();
  auto message = test::EventBytes({.fd = 40}, {});
  const auto second = test::EventBytes({.fd = 41}, {});
  message.insert(message.end(), second.begin(), second.end());
  Put(journal, slot, message);
  const Journal next = Successor(journal);
  REQUIRE(next.stale().size() == 2);
  CHECK(next.stale()[0].event.fd == 40);
  CHECK(next.stale()[1].event.fd == 41);
}

TEST_CASE("a slot that cannot be read stays on record") {
  Journal journal = Journal::Create();
  const uint32_t slot = journal.Take().value();
  auto message = Read(40, 0, 1);
  message[4] = std::byte{9};
  Put(journal, slot, message);
  const Journal next = Successor(journal);
  REQUIRE(next.stale().size() == 1);
  CHECK(next.stale()[0].slot == slot);
  CHECK(next.stale()[0].event.fd == -1);
}

TEST_CASE("what is not a journal of this format is refused") {
  SECTION("another file") { CHECK_THROWS_AS(Journal::Adopt(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))), Error); }
  SECTION("a memfd that could shrink under the mapping") {
    UniqueFd fd(::memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    REQUIRE(::ftruncate(fd.get(), 64 + Journal::kSlots * 64) == 0);
    CHECK_THROWS_AS(Journal::Adopt(std::move(fd)), Error);
  }
  SECTION("a memfd of the right size with another header") {
    UniqueFd fd(::memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    REQUIRE(::ftruncate(fd.get(), 64 + Journal::kSlots * 64) == 0);
    REQUIRE(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    CHECK_THROWS_AS(Journal::Adopt(std::move(fd)), Error);
  }
}

}  // namespace
}  // namespace sluice::frontend::fanotify
