// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which proxy a URL goes through: our reading of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.  libcurl reads none of them.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/ip_address.h"
#include "http/url.h"

namespace sluice::http {

struct Proxy {
  Url url;           // http or https; only its origin counts
  std::string user;  // decoded; empty: no credentials
  std::string password;

  // "http://[user:password@]host[:port][/]"; "host:port" means http.  Throws kInvalidArgument, without the password,
  // for others, kUnsupported for socks.
  static Proxy Parse(std::string_view text);
};

// Immutable.
class ProxyRules {
 public:
  using Lookup = std::function<const char*(const char* name)>;  // getenv(3); null when not set

  ProxyRules() = default;
  // One proxy for everything but what `no_proxy` names.
  ProxyRules(Proxy proxy, std::string_view no_proxy);
  // From https_proxy, http_proxy, all_proxy, no_proxy and their upper-case forms; lower case first, except that
  // HTTP_PROXY is ignored where REQUEST_METHOD is set (a CGI script gets it from the client's "Proxy:" field).
  static ProxyRules FromEnvironment(const Lookup& lookup);

  // Null: straight.  Valid as long as the rules.
  const Proxy* For(const Url& url) const;

 private:
  // An entry of NO_PROXY: "*", a name (which covers its subdomains), an address, or a network "10.0.0.0/8"; a name or
  // address may have a ":port".
  struct Exception {
    bool everything = false;
    std::string name;                  // lower case, without a leading dot
    std::optional<IpAddress> network;  // an address is a network of its own
    unsigned prefix = 0;               // bits
    std::optional<uint16_t> port;
  };
  void ParseExceptions(std::string_view no_proxy);
  static Exception ParseException(std::string_view entry);
  bool IsExcepted(const Origin& origin) const;

  std::optional<Proxy> http_;
  std::optional<Proxy> https_;
  std::vector<Exception> exceptions_;
};

}  // namespace sluice::http
