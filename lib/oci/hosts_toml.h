// SPDX-License-Identifier: Apache-2.0
#pragma once
// The content of containerd's hosts.toml: the servers that have the images of one registry, in order.  Pure.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/url.h"

namespace sluice::oci {

struct HostsToml {
  struct Host {
    http::Url api;  // "https://mirror.example/v2"
    bool pull = true;
    bool resolve = true;
    bool push = true;
    bool skip_verify = false;
    std::vector<std::string> ca;                               // names of files
    std::vector<std::pair<std::string, std::string>> clients;  // certificate and key; the key is empty if in one file
    std::vector<std::pair<std::string, std::string>> header;   // values may be secrets
    bool is_server = false;  // `server` and what stands beside it: not a mirror, but the registry
  };
  std::vector<Host> hosts;  // mirrors as they stand in the file, then the server

  // `default_server` is the URL of the registry where the file names none.  Unknown keys are passed over.  Throws
  // kCorrupt naming `what` and the place, never a value of a header.
  static HostsToml Parse(std::string_view text, const http::Url& default_server, std::string_view what);
};

}  // namespace sluice::oci
