// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.h"

#include <algorithm>

#include "base/error.h"
#include "http/ip_address.h"
#include "http/percent.h"
#include "http/text.h"

namespace sluice::http {
namespace {

// `name` is `suffix` or ends with ".suffix".
bool IsInDomain(std::string_view name, std::string_view suffix) noexcept {
  if (name.size() < suffix.size() || name.substr(name.size() - suffix.size()) != suffix) return false;
  return name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

}  // namespace

Proxy Proxy::Parse(std::string_view text) {
  const size_t scheme_end = text.find("://");
  const std::string scheme = scheme_end == std::string_view::npos ? "http" : LowerCase(text.substr(0, scheme_end));
  if (scheme.substr(0, 5) == "socks") Throw(Errc::kUnsupported, "proxy: '{}' proxies are not supported", scheme);
  std::string_view rest = scheme_end == std::string_view::npos ? text : text.substr(scheme_end + 3);
  std::string user, password;
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view credentials = authority.substr(0, at);
    const size_t colon = credentials.find(':');
    user = PercentDecode(credentials.substr(0, colon));
    if (colon != std::string_view::npos) password = PercentDecode(credentials.substr(colon + 1));
    rest.remove_prefix(at + 1);
  }
  try {
    return Proxy{.url = Url::Parse(scheme + "://" + std::string(rest)), .user = user, .password = password};
  } catch (Error& error) {
    error.AddContext("proxy");
    throw;
  }
}

ProxyRules::ProxyRules(Proxy proxy, std::string_view no_proxy) : http_(proxy), https_(std::move(proxy)) {
  ParseExceptions(no_proxy);
}

ProxyRules ProxyRules::FromEnvironment(const Lookup& lookup) {
  const auto get = [&](std::initializer_list<const char*> names) -> std::string_view {
    for (const char* name : names) {
      if (const char* value = lookup(name); value != nullptr && *value != 0) return value;
    }
    return {};
  };
  const bool cgi = lookup("REQUEST_METHOD") != nullptr;
  const std::string_view http =
      cgi ? get({"http_proxy", "all_proxy", "ALL_PROXY"}) : get({"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"});
  const std::string_view https = get({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  ProxyRules rules;
  if (!http.empty()) rules.http_ = Proxy::Parse(http);
  if (!https.empty()) rules.https_ = Proxy::Parse(https);
  rules.ParseExceptions(get({"no_proxy", "NO_PROXY"}));
  return rules;
}

void ProxyRules::ParseExceptions(std::string_view no_proxy) {
  while (!no_proxy.empty()) {
    const size_t end = std::min(no_proxy.find_first_of(", \t"), no_proxy.size());
    const std::string_view entry = no_proxy.substr(0, end);
    no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
    if (!entry.empty()) exceptions_.push_back(ParseException(entry));
  }
}

// What is no network and no address is a name, however odd: an entry that nobody understands excepts nothing.
ProxyRules::Exception ProxyRules::ParseException(std::string_view entry) {
  Exception exception;
  if (entry == "*") {
    exception.everything = true;
    return exception;
  }
  const size_t slash = entry.find('/');
  const std::optional<IpAddress> network = IpAddress::Parse(entry.substr(0, slash));
  if (network && slash != std::string_view::npos) {
    const std::optional<unsigned> prefix = ParseNumber<unsigned>(entry.substr(slash + 1));
    if (prefix && *prefix <= network->bits()) {
      exception.network = *network;
      exception.prefix = *prefix;
      return exception;
    }
  }
  // A colon that is not one of several (a bare IPv6 address) stands before a port.
  const size_t colon = entry.rfind(':');
  if (!network && colon != std::string_view::npos) {
    exception.port = ParseNumber<uint16_t>(entry.substr(colon + 1));
    if (exception.port) entry = entry.substr(0, colon);
  }
  if (const std::optional<IpAddress> address = IpAddress::Parse(entry)) {
    exception.network = *address;
    exception.prefix = address->bits();
    return exception;
  }
  if (entry.substr(0, 2) == "*.") entry.remove_prefix(1);
  if (!entry.empty() && entry.front() == '.') entry.remove_prefix(1);
  exception.name = LowerCase(entry);
  return exception;
}

bool ProxyRules::IsExcepted(const Origin& origin) const {
  const std::optional<IpAddress> address = IpAddress::Parse(origin.host);
  return std::any_of(exceptions_.begin(), exceptions_.end(), [&](const Exception& each) {
    if (each.everything) return true;
    if (each.port && *each.port != origin.port) return false;
    if (each.network) return address && address->IsInside(*each.network, each.prefix);
    return !address && !each.name.empty() && IsInDomain(origin.host, each.name);
  });
}

const Proxy* ProxyRules::For(const Url& url) const {
  const std::optional<Proxy>& proxy = url.secure() ? https_ : http_;
  return proxy && !IsExcepted(url.origin()) ? &*proxy : nullptr;
}

}  // namespace sluice::http
