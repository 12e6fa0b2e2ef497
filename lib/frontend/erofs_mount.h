// SPDX-License-Identifier: Apache-2.0
#pragma once
// Mounting a bootstrap and its blobs from files.  Everything here blocks: call it in Offload, and never on a shard that
// serves the mount.

#include <string>
#include <vector>

namespace sluice::frontend {

struct ErofsMount {
  std::string bootstrap;             // complete, synced
  std::vector<std::string> devices;  // cache files of the blobs, in the order of the device slots
  std::string mountpoint;
};

// Mounts read-only, without device nodes (nodev).  Throws kUnsupported naming what the kernel lacks, kCorrupt with the
// kernel's words when it refuses the image, kLimit for a path that fsconfig(2) does not take.
void MountErofs(const ErofsMount& mount);

// An image that a cachefiles door has bound.
struct FsidMount {
  std::string fsid;
  std::string domain;  // empty: none
  std::string mountpoint;
};

// The same with `mount -t erofs -o fsid=…,domain_id=…`.  Waits for the door, which answers on another thread.  Throws
// kExists when the kernel has a mount of that name.
void MountErofs(const FsidMount& mount);

// Whether the kernel's EROFS knows the option domain_id: since Linux 6.1, or by a backport.
bool KnowsDomains() noexcept;

// Throws kBusy while something uses the mount, kNotFound when nothing is mounted there.  Never lazy: what a lazy
// unmount leaves behind is still read.
void Unmount(const std::string& mountpoint);

// Whether anybody, in whatever mount namespace, has the file open: a mounted EROFS keeps its bootstrap open.  `path` is
// on a file system with leases (ext4, xfs, btrfs) and not open in this process.  Whoever opens it at this very moment
// makes the kernel send this process SIGIO, which has to be blocked or ignored.
bool IsOpenSomewhere(const std::string& path);

}  // namespace sluice::frontend
