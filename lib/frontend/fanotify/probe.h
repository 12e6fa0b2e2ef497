// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether this door works here: the whole way once, with a file of one block.

#include <string>

namespace sluice::frontend::fanotify {

// Marks, mounts and reads a tiny image in a private mount namespace, with its files in `directory` (made and removed;
// on the file system of the cache).  Throws kUnsupported, kPermission, … saying which step fails for which lack. Forks:
// to be called while the process has one thread.
void Probe(const std::string& directory);

}  // namespace sluice::frontend::fanotify
