// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the kernel says is mounted: /proc/self/mountinfo (proc_pid_mountinfo(5)).

#include <string>
#include <string_view>
#include <vector>

namespace sluice::daemon {

struct MountPoint {
  std::string path;    // where
  std::string type;    // file system
  std::string source;  // of a file-backed EROFS: the path of the bootstrap
  bool operator==(const MountPoint&) const = default;
};

// Pure.  Throws kCorrupt for a line of another form.
std::vector<MountPoint> ParseMountInfo(std::string_view text);

// Blocks.
std::vector<MountPoint> ReadMountPoints();

}  // namespace sluice::daemon
