// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "base/error.h"

namespace sluice::http {
namespace {

using Environment = std::map<std::string, std::string>;

// The proxy's origin for `url`; "straight" when there is none.
std::string RouteOf(const Environment& environment, const std::string& url) {
  const ProxyRules rules = ProxyRules::FromEnvironment([&](const char* name) -> const char* {
    const auto at = environment.find(name);
    return at == environment.end() ? nullptr : at->second.c_str();
  });
  const Proxy* const proxy = rules.For(Url::Parse(url));
  return proxy == nullptr ? "straight" : proxy->url.origin().ToString();
}

TEST_CASE("each scheme has its proxy") {
  const Environment environment{{"http_proxy", "http://p1:3128"}, {"HTTPS_PROXY", "p2:3129"}};
  CHECK(RouteOf(environment, "http://h/") == "http://p1:3128");
  CHECK(RouteOf(environment, "https://h/") == "http://p2:3129");
  CHECK(RouteOf({}, "https://h/") == "straight");
  CHECK(RouteOf({{"all_proxy", "https://p:1"}}, "https://h/") == "https://p:1");
  CHECK(RouteOf({{"https_proxy", "http://a:1"}, {"HTTPS_PROXY", "http://b:1"}}, "https://h/") == "http://a:1");
  CHECK(RouteOf({{"https_proxy", ""}, {"HTTPS_PROXY", "http://b:1"}}, "https://h/") == "http://b:1");
}

TEST_CASE("a proxy that the client of a CGI script has named is not used") {
  const Environment environment{{"HTTP_PROXY", "http://evil:1"}, {"REQUEST_METHOD", "GET"}};
  CHECK(RouteOf(environment, "http://h/") == "straight");
}

TEST_CASE("NO_PROXY names what is reached straight") {
  const auto route = [](const std::string& no_proxy, const std::string& url) {
    return RouteOf({{"http_proxy", "http://p:1"}, {"no_proxy", no_proxy}}, url);
  };
  const std::string proxied = "http://p:1";
  CHECK(route("*", "http://h/") == "straight");
  CHECK(route("example.com", "http://example.com/") == "straight");
  CHECK(route("example.com", "http://a.b.EXAMPLE.com/") == "straight");
  CHECK(route(".example.com", "http://a.example.com/") == "straight");
  CHECK(route("*.example.com", "http://a.example.com/") == "straight");
  CHECK(route("example.com", "http://badexample.com/") == proxied);
  CHECK(route("example.com", "http://example.com.evil/") == proxied);
  CHECK(route("a, example.com ,b", "http://example.com/") == "straight");
  CHECK(route("example.com:8080", "http://example.com:8080/") == "straight");
  CHECK(route("example.com:8080", "http://example.com/") == proxied);
  CHECK(route("10.0.0.0/8", "http://10.1.2.3/") == "straight");
  CHECK(route("10.0.0.0/8", "http://11.1.2.3/") == proxied);
  CHECK(route("10.0.0.0/33", "http://10.0.0.0/") == proxied);
  CHECK(route("10.1.2.3", "http://10.1.2.3:99/") == "straight");
  CHECK(route("10.1.2.3:99", "http://10.1.2.3/") == proxied);
  CHECK(route("fd00::/8", "http://[fd00::1]/") == "straight");
  CHECK(route("fd00::1", "http://[fd00::1]/") == "straight");
  CHECK(route("[fd00::1]:81", "http://[fd00::1]:81/") == "straight");
  CHECK(route("[fd00::1]:81", "http://[fd00::1]/") == proxied);
  CHECK(route("0.0.0.0/0", "http://name/") == proxied);
  CHECK(route(",, ,", "http://h/") == proxied);
  CHECK(route(".", "http://h/") == proxied);
}

TEST_CASE("the credentials of a proxy are decoded") {
  const Proxy proxy = Proxy::Parse("https://us%40er:pa%3Ass@p:3128/ignored");
  CHECK(proxy.url.origin() == Origin{"https", "p", 3128});
  CHECK(proxy.user == "us@er");
  CHECK(proxy.password == "pa:ss");
  CHECK(Proxy::Parse("u@p").user == "u");
}

TEST_CASE("what is no proxy is refused without its password") {
  const std::map<std::string, Errc> cases{{"socks5://u:secret@p:1", Errc::kUnsupported},
                                          {"ftp://u:secret@p:1", Errc::kInvalidArgument},
                                          {"http://u:secret@p:x", Errc::kInvalidArgument},
                                          {"http://u:secret@", Errc::kInvalidArgument},
                                          {"http://u:%zzsecret@p", Errc::kInvalidArgument}};
  for (const auto& [text, code] : cases) {
    INFO(text);
    try {
      Proxy::Parse(text);
      FAIL("taken");
    } catch (const Error& error) {
      CHECK(error.code() == code);
      CHECK(error.message().find("secret") == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace sluice::http
