// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/un.h>

#include <string>

namespace sluice::daemon {

// Throws kInvalidArgument for a path that is too long for a socket's name.
sockaddr_un UnixAddress(const std::string& path);

}  // namespace sluice::daemon
