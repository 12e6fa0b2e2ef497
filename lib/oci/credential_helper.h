// SPDX-License-Identifier: Apache-2.0
#pragma once
// Programs that keep credentials (docker-credential-…).  Internal to oci.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "oci/credentials.h"

namespace sluice::oci {

struct HelperOptions {
  std::string search_path;                       // $PATH; relative folders in it are passed over
  Duration deadline = std::chrono::seconds(30);  // then the program and all that it has started are killed
};

// What "docker-credential-NAME get" says for `server`; nothing when it says that it has none.  No shell is involved.
// Blocks.  Throws kNotFound when there is no such program, kTimeout, kIo when it fails, kCorrupt for an answer that is
// no credentials, kLimit for one of more than 64 KiB; messages repeat nothing of what it wrote.
std::optional<Credentials> AskCredentialHelper(const std::string& name, std::string_view server,
                                               const HelperOptions& options);

}  // namespace sluice::oci
