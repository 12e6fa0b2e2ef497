// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the subcommands speak to the daemon.

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace sluice::tools {

// Adds --socket, which sets `socket` (default: $SLUICE_SOCKET, else /run/sluice/sluiced.sock).  `socket` outlives
// `command`.
void AddSocketOption(CLI::App& command, std::string& socket);

// Sends one request and returns the body of the answer.  Throws what the daemon answered, else kIo, kPermission.
std::string AskDaemon(const std::string& socket, std::string_view method, std::string_view target,
                      std::string_view body = {});

// "/v1/mounts?mountpoint=…".  The daemon knows mountpoints by their canonical path.
std::string MountTarget(std::string_view mountpoint);

// "/v1/bindings?fsid=…&domain=…", without what is empty.
std::string BindingTarget(std::string_view fsid, std::string_view domain);

// The canonical path of `path`; of a path that cannot be resolved, the absolute one.  Throws kInvalidArgument when
// empty.
std::string CanonicalPath(const std::string& path);

// The image reference with its relative paths made absolute: the daemon has another working directory.
std::string AbsoluteReference(const std::string& image);

}  // namespace sluice::tools
