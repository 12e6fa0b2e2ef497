// SPDX-License-Identifier: Apache-2.0
#include "mount_points.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"

namespace sluice::daemon {
namespace {

TEST_CASE(
    "mountinfo lines give path, type, source and options of the file system, with escapes undone and optional fields "
    "passed over") {
  const auto points = ParseMountInfo(
      "36 35 98:0 / /mnt\\040one rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n"
      "42 27 0:39 / /a\\134b\\011c ro,nodev - erofs /var/lib/x/bootstrap ro,user_xattr\n");
  CHECK(points == std::vector<MountPoint>{{"/mnt one", "ext3", "/dev/root", "rw,errors=continue"},
                                          {"/a\\b\tc", "erofs", "/var/lib/x/bootstrap", "ro,user_xattr"}});
}

TEST_CASE("a backslash that begins no escape stays") {
  CHECK(ParseMountInfo("1 2 0:1 / /a\\0 rw - t s\\9 rw")[0] == MountPoint{"/a\\0", "t", "s\\9", "rw"});
}

TEST_CASE("a line without its fields is refused") {
  const auto line = GENERATE(as<std::string>{}, "1", "1 2 0:1 / /a rw", "1 2 0:1 / /a rw -", "1 2 0:1 / /a rw - erofs",
                             "1 2 - erofs source rw");
  CHECK_THROWS_AS(ParseMountInfo(line), Error);
}

TEST_CASE("the root of this machine is mounted") {
  const auto points = ReadMountPoints();
  CHECK(std::any_of(points.begin(), points.end(), [](const MountPoint& point) { return point.path == "/"; }));
}

}  // namespace
}  // namespace sluice::daemon
