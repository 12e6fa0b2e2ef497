// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/event.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <vector>

#include "support/fanotify_message.h"

namespace sluice::frontend::fanotify {
namespace {

using test::EventBytes;
using test::RangeRecord;

TEST_CASE("an event with a range tells descriptor, process and bytes") {
  const auto message = EventBytes({.fd = 17, .pid = 4711}, {RangeRecord(8192, 131072)});
  EventReader reader(message);
  const auto event = reader.Next();
  REQUIRE(event);
  CHECK(*event == Event{.fd = 17, .pid = 4711, .mask = kPreAccess, .range = {8192, 131072}});
  CHECK(event->WantsAnswer());
  CHECK_FALSE(reader.Next());
}

TEST_CASE("an event without a range, or with an empty one, is about the whole file") {
  std::vector<std::vector<std::byte>> records;
  SECTION("no record") {}
  SECTION("an empty range") { records.push_back(RangeRecord(4096, 0)); }
  const auto message = EventBytes({.fd = 3}, records);
  const auto event = EventReader(message).Next();
  REQUIRE(event);
  CHECK(event->range == ByteRange{0, UINT64_MAX});
}

TEST_CASE("the end of a range does not overflow") {
  const auto message = EventBytes({.fd = 3}, {RangeRecord(UINT64_MAX - 10, 4096)});
  const auto event = EventReader(message).Next();
  REQUIRE(event);
  CHECK(event->range == ByteRange{UINT64_MAX - 10, 10});
}

TEST_CASE("an event whose descriptor could not be made wants no answer") {
  const auto message = EventBytes({.fd = -EMFILE}, {RangeRecord(0, 1)});
  const auto event = EventReader(message).Next();
  REQUIRE(event);
  CHECK_FALSE(event->WantsAnswer());
}

TEST_CASE("a queue overflow wants no answer") {
  const auto message = EventBytes({.fd = -1, .mask = kQueueOverflow}, {});
  const auto event = EventReader(message).Next();
  REQUIRE(event);
  CHECK_FALSE(event->WantsAnswer());
}

TEST_CASE("two short events of one message are both found, the zeros behind them are not") {
  auto message = EventBytes({.fd = 5}, {});
  const auto second = EventBytes({.fd = 6}, {});
  message.insert(message.end(), second.begin(), second.end());
  message.resize(message.size() + 24);
  EventReader reader(message);
  CHECK(reader.Next()->fd == 5);
  CHECK(reader.Next()->fd == 6);
  CHECK_FALSE(reader.Next());
}

TEST_CASE("info records of other types are passed over") {
  auto other = RangeRecord(1, 1);
  other[0] = std::byte{1};
  const auto message = EventBytes({.fd = 5}, {other, RangeRecord(4096, 4096)});
  CHECK(EventReader(message).Next()->range == ByteRange{4096, 4096});
}

TEST_CASE("lengths that contradict each other are refused") {
  auto message = EventBytes({.fd = 5}, {RangeRecord(4096, 4096)});
  SECTION("the event is longer than what was read") { StoreLe<uint32_t>(message.data(), 49); }
  SECTION("the event is shorter than its metadata") { StoreLe<uint32_t>(message.data(), 23); }
  SECTION("the metadata are too short") { StoreLe<uint16_t>(message.data() + 6, 16); }
  SECTION("the record is longer than the event") { StoreLe<uint16_t>(message.data() + 26, 25); }
  SECTION("the record has no length") { StoreLe<uint16_t>(message.data() + 26, 0); }
  SECTION("the range record is short") {
    StoreLe<uint16_t>(message.data() + 26, 20);
    StoreLe<uint32_t>(message.data(), 44);
  }
  CHECK_THROWS_AS(EventReader(message).Next(), Error);
}

TEST_CASE("another version of the structure is refused") {
  auto message = EventBytes({.fd = 5}, {});
  message[4] = std::byte{4};
  CHECK_THROWS_AS(EventReader(message).Next(), Error);
}

TEST_CASE("a message that is cut anywhere is an error or has no event") {
  const auto message = EventBytes({.fd = 5}, {RangeRecord(4096, 4096)});
  for (size_t size = 0; size < message.size(); ++size) {
    EventReader reader(ConstBytes(message).first(size));
    if (size < 24) {
      CHECK_FALSE(reader.Next());
    } else {
      CHECK_THROWS_AS(reader.Next(), Error);
    }
  }
}

TEST_CASE("a refusal carries EIO in its upper byte") { CHECK(DenyWithIoError() == 0x05000002u); }

}  // namespace
}  // namespace sluice::frontend::fanotify
