// SPDX-License-Identifier: Apache-2.0
#include "notification.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"

namespace sluice::daemon {
namespace {

TEST_CASE("a notification says what was set to 1, in any order, with or without a last newline") {
  CHECK(ParseNotification("READY=1") == Notification{.ready = true});
  CHECK(ParseNotification("STATUS=serving 3 mounts\nREADY=1\n") ==
        Notification{.ready = true, .status = "serving 3 mounts"});
  CHECK(ParseNotification("FDSTORE=1\nFDNAME=group-0\nFDPOLL=0") == Notification{.store = true, .fd_name = "group-0"});
  CHECK(ParseNotification("FDNAME=group-0\nFDSTOREREMOVE=1") == Notification{.remove = true, .fd_name = "group-0"});
  CHECK(ParseNotification("BARRIER=1") == Notification{.barrier = true});
  CHECK(ParseNotification("STOPPING=1") == Notification{.stopping = true});
}

TEST_CASE("what the holder has no use for is passed over") {
  CHECK(ParseNotification("") == Notification{});
  CHECK(ParseNotification("\n\nWATCHDOG=1\nno equals sign\nREADY=0\n=1") == Notification{});
}

TEST_CASE("a name that LISTEN_FDNAMES cannot carry is refused") {
  const auto name = GENERATE(as<std::string>{}, "", "a:b", "a b", "a\x01", std::string(256, 'a'));
  CHECK_THROWS_AS(ParseNotification("FDSTORE=1\nFDNAME=" + name), Error);
}

}  // namespace
}  // namespace sluice::daemon
