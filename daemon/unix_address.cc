// SPDX-License-Identifier: Apache-2.0
#include "unix_address.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/error.h"

namespace sluice::daemon {

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    Throw(Errc::kInvalidArgument, "socket path '{}' has {} bytes, at most {} are possible", path, path.size(),
          sizeof(address.sun_path) - 1);
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

}  // namespace sluice::daemon
