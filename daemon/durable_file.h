// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small files that are there as a whole or not at all, also after a power loss.  Everything here blocks: call it in
// Offload or before serving begins.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace sluice::daemon {

// Makes `path` hold `content`: written under a temporary name in the same directory, synced, renamed, directory synced.
void WriteDurably(const std::string& path, ConstBytes content);

// The whole file.  Throws kNotFound, kLimit above `max_bytes`, kIo.
std::vector<std::byte> ReadWholeFile(const std::string& path, uint64_t max_bytes);

// Makes the directory and its parents, with mode 0700 for those that are new; none is an error.
void MakeDirectories(const std::string& path);

// Removes a file and syncs its directory.  A file that is gone is no error.
void RemoveDurably(const std::string& path);

}  // namespace sluice::daemon
