// SPDX-License-Identifier: Apache-2.0
#include "cache/distance.h"

#include <catch2/catch.hpp>

namespace sluice::cache {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr StreamLimits kLimits{};
constexpr uint64_t kBandwidth = 12'500'000;  // bytes per second: 100 Mbit/s

}  // namespace

TEST_CASE("a source is near until two answers took long") {
  Distance distance(kLimits);
  CHECK(distance.in_flight() == 0);
  distance.OnAnswer(100, milliseconds(20));
  CHECK(distance.in_flight() == 0);
  distance.OnAnswer(100, milliseconds(20));
  CHECK(distance.in_flight() == kLimits.first_bandwidth / 50);
}

TEST_CASE("a remote source is far before anything is known of it, and its first answer counts") {
  Distance distance(kLimits);
  distance.ExpectRemote();
  CHECK(distance.in_flight() == kLimits.first_in_flight);
  CHECK(!distance.is_near());
  SECTION("far") {
    distance.OnAnswer(100, milliseconds(20));
    CHECK(distance.in_flight() == kLimits.first_bandwidth / 50);
  }
  SECTION("near") {
    distance.OnAnswer(100, microseconds(200));
    CHECK(distance.in_flight() == 0);
    CHECK(distance.is_near());
  }
}

TEST_CASE("one quick answer shows that a source is near, and is forgotten after a while") {
  Distance distance(kLimits);
  for (int i = 0; i < 4; ++i) distance.OnAnswer(100, milliseconds(20));
  distance.OnAnswer(100, microseconds(200));
  CHECK(distance.in_flight() == 0);
  for (int i = 0; i < 15; ++i) distance.OnAnswer(100, milliseconds(20));
  CHECK(distance.in_flight() == 0);
  distance.OnAnswer(100, milliseconds(20));
  CHECK(distance.in_flight() > 0);
}

TEST_CASE("the time that an answer's bytes take is no part of the round trip") {
  Distance distance(kLimits);
  distance.OnAnswer(0, milliseconds(20));
  distance.OnTransfer(kBandwidth / 10, milliseconds(120));
  distance.OnAnswer(kBandwidth / 100, milliseconds(20));  // 10 ms of it are the bytes'
  CHECK(distance.in_flight() == kBandwidth / 100);
  distance.OnAnswer(kBandwidth, milliseconds(30));  // sooner than it could come
  CHECK(distance.in_flight() == 0);
}

TEST_CASE("the best of the last transfers tells the bandwidth, and what is too small to tell is passed over") {
  Distance distance(kLimits);
  distance.OnTransfer(1'000'000'000, milliseconds(100));  // before any answer: says nothing
  for (int i = 0; i < 2; ++i) distance.OnAnswer(0, milliseconds(20));
  CHECK(distance.in_flight() == kLimits.first_bandwidth / 50);
  distance.OnTransfer(1'000'000, milliseconds(120));
  CHECK(distance.in_flight() == 200'000);
  distance.OnTransfer(4'000'000, milliseconds(120));
  distance.OnTransfer(1'000'000, milliseconds(120));
  CHECK(distance.in_flight() == 800'000);
  distance.OnTransfer(1'000'000'000, milliseconds(20) + microseconds(900));
  distance.OnTransfer(1'000'000'000, milliseconds(10));
  distance.OnTransfer(64 * kKiB - 1, milliseconds(21));
  CHECK(distance.in_flight() == 800'000);
  for (int i = 0; i < 16; ++i) distance.OnTransfer(1'000'000, milliseconds(120));
  CHECK(distance.in_flight() == 200'000);
}

}  // namespace sluice::cache
