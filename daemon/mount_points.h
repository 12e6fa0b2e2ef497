// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the kernel says is mounted: /proc/self/mountinfo (proc_pid_mountinfo(5)).

#include <string>
#include <string_view>
#include <vector>

namespace sluice::daemon {

struct MountPoint {
  std::string path;     // where
  std::string type;     // file system
  std::string source;   // of a file-backed EROFS: the path of the bootstrap
  std::string options;  // of the file system: "ro,fsid=…,domain_id=…"
  bool operator==(const MountPoint&) const = default;
};

// Pure.  Throws kCorrupt for a line of another form.
std::vector<MountPoint> ParseMountInfo(std::string_view text);

// Blocks.
std::vector<MountPoint> ReadMountPoints();

// The path as the kernel will call it.  Blocks.  Throws kInvalidArgument unless it is the absolute path of a directory.
std::string ResolveMountpoint(const std::string& mountpoint);

}  // namespace sluice::daemon
