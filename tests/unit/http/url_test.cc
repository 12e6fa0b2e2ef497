// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "http/ip_address.h"

namespace sluice::http {
namespace {

// The message of the error that parsing ends with; fails the test when there is none.
std::string RefusalOf(const std::string& text) {
  try {
    const Url url = Url::Parse(text);
    FAIL("'" << text << "' is taken as '" << url.ToString() << "'");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::kInvalidArgument);
    return error.message();
  }
  return {};
}

TEST_CASE("a URL is taken apart and put together again") {
  const Url url = Url::Parse("HTTPS://Registry.Example.COM:5000/v2/a%2Fb/?x=1&y=%20#fragment");
  CHECK(url.origin() == Origin{"https", "registry.example.com", 5000});
  CHECK(url.path() == "/v2/a%2Fb/");
  CHECK(url.query() == "x=1&y=%20");
  CHECK(url.ToString() == "https://registry.example.com:5000/v2/a%2Fb/?x=1&y=%20");
  CHECK(url.ForMessages() == "https://registry.example.com:5000/v2/a%2Fb/");
  CHECK(Url::Parse(url.ToString()) == url);
}

TEST_CASE("what a URL leaves out is filled in") {
  CHECK(Url::Parse("http://h").ToString() == "http://h/");
  CHECK(Url::Parse("http://h:80?q").ToString() == "http://h/?q");
  CHECK(Url::Parse("https://h:443/").origin() == Url::Parse("https://h").origin());
  CHECK(Url::Parse("https://h:/").origin().port == 443);
  CHECK(Url::Parse("http://h:443/").ToString() == "http://h:443/");
  CHECK_FALSE(Url::Parse("http://h:443").origin() == Url::Parse("https://h").origin());
}

TEST_CASE("addresses are hosts in one spelling each") {
  CHECK(Url::Parse("http://192.0.2.1:1/").origin().host == "192.0.2.1");
  CHECK(Url::Parse("http://[2001:DB8:0:0::1]:1/").origin().host == "[2001:db8::1]");
  CHECK(Url::Parse("http://[::1]").ToString() == "http://[::1]/");
}

TEST_CASE("what is no URL of ours is refused") {
  for (const char* text : {"",
                           "http",
                           "http:",
                           "http:/",
                           "http://",
                           "http:///path",
                           "h/path",
                           "ftp://h/",
                           "file:///etc/passwd",
                           "//h/",
                           "http://h:0/",
                           "http://h:65536/",
                           "http://h:x/",
                           "http://h:1x/",
                           "http://h:-1/",
                           "http://h h/",
                           "http://h/a b",
                           "http://h/a\nb",
                           "http://h/a\tb",
                           "http://h/\xC3\xBC",
                           "http://\xC3\xBC/",
                           "http://h/%",
                           "http://h/%1",
                           "http://h/%zz",
                           "http://h/a\"b",
                           "http://h/<",
                           "http://h\\@other/",
                           "http://h/a\\b",
                           "http://.h/",
                           "http://h./",
                           "http://a..b/",
                           "http://-a/",
                           "http://a-/",
                           "http://[::1/",
                           "http://::1/",
                           "http://[h]/",
                           "http://[1.2.3.4]/",
                           "http://[::1]x/",
                           "http://[fe80::1%25eth0]/",
                           "http://127.1/",
                           "http://0x7f000001/",
                           "http://2130706433/",
                           "http://1.2.3.0x7f/",
                           "http://01.2.3.4/",
                           "http://h:80:80/"}) {
    INFO(text);
    RefusalOf(text);
  }
  RefusalOf("http://h/" + std::string(Url::kMaxLength, 'x'));
  RefusalOf("http://" + std::string(64, 'x') + "/");
  RefusalOf(std::string("http://h/a\0b", 12));
}

TEST_CASE("user information is refused, and its refusal does not repeat it") {
  for (const std::string text : {"https://user:secret@host/path", "https://secret@host", "https://u:secret?x@host/",
                                 "https://host/path?token=secret\n"}) {
    CHECK(RefusalOf(text).find("secret") == std::string::npos);
  }
  CHECK(RefusalOf("https://u:" + std::string(500, 's') + "@host/").find("ss") == std::string::npos);
}

TEST_CASE("a URL that is cut anywhere is refused or means itself") {
  const std::string whole = "https://[2001:db8::1]:8443/a/%41?b=%42";
  for (size_t size = 0; size <= whole.size(); ++size) {
    try {
      const Url url = Url::Parse(whole.substr(0, size));
      CHECK(Url::Parse(url.ToString()) == url);
    } catch (const Error& error) {
      CHECK(error.code() == Errc::kInvalidArgument);
    }
  }
}

// RFC 3986 section 5.4, without the cases of other schemes.
TEST_CASE("references resolve as RFC 3986 says") {
  const Url base = Url::Parse("http://a/b/c/d;p?q");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://x:1/y?z", "https://x:1/y?z"},
      {"//h:8/?q", "http://h:8/?q"},
  };
  for (const auto& [reference, expected] : cases) {
    INFO(reference);
    CHECK(base.Resolve(reference).ToString() == expected);
  }
  for (const char* other_scheme : {"x:80/y", "mailto:x", "javascript:x", "ftp://h/"}) {
    INFO(other_scheme);
    CHECK_THROWS_AS(base.Resolve(other_scheme), Error);
  }
}

TEST_CASE("queries are added encoded") {
  const Url url = Url::Parse("https://h/p").WithQuery("scope", "repository:a/b:pull,push").WithQuery("x", "");
  CHECK(url.ToString() == "https://h/p?scope=repository%3Aa%2Fb%3Apull%2Cpush&x=");
  CHECK(url.WithRawQuery("a=b").ToString() == "https://h/p?a=b");
  CHECK(url.WithPath("/other").path() == "/other");
  for (const char* path : {"", "other", "/a b", "/a?b", "/a#b"}) {
    INFO(path);
    CHECK_THROWS_AS(url.WithPath(path), Error);
  }
  CHECK_THROWS_AS(url.WithRawQuery("a b"), Error);
}

TEST_CASE("hosts of this machine and its link are known in all their clothes") {
  for (const char* host :
       {"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "[::1]", "[::]", "[fe80::1]",
        "[febf::1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::7f00:1]", "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]", "[fd20:ce::254]", "100.100.100.200", "localhost", "x.localhost"}) {
    INFO(host);
    CHECK(IsLocalHost(host));
  }
  for (const char* host :
       {"128.0.0.1", "10.0.0.1", "192.168.0.1", "169.253.0.1", "100.100.100.199", "[fec0::1]", "[2001:db8::1]",
        "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "localhost.example", "alocalhost", "example"}) {
    INFO(host);
    CHECK_FALSE(IsLocalHost(host));
  }
}

TEST_CASE("addresses of private networks are known in all their clothes") {
  for (const char* address : {"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
                              "100.127.0.1", "fc00::1", "fdff::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"}) {
    INFO(address);
    CHECK(IpAddress::Parse(address)->IsPrivate());
  }
  for (const char* address : {"11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1", "100.128.0.1",
                              "127.0.0.1", "fe80::1", "2001:db8::1", "::1", "::ffff:8.8.8.8"}) {
    INFO(address);
    CHECK_FALSE(IpAddress::Parse(address)->IsPrivate());
  }
}

TEST_CASE("networks hold the addresses that share their first bits") {
  const auto is_inside = [](const char* address, const char* network, unsigned prefix) {
    return IpAddress::Parse(address)->IsInside(*IpAddress::Parse(network), prefix);
  };
  CHECK(is_inside("10.1.2.3", "10.0.0.0", 8));
  CHECK(is_inside("10.1.2.3", "10.1.2.3", 32));
  CHECK(is_inside("10.1.2.3", "0.0.0.0", 0));
  CHECK(is_inside("10.1.2.7", "10.1.2.4", 30));
  CHECK_FALSE(is_inside("10.1.2.8", "10.1.2.4", 30));
  CHECK_FALSE(is_inside("11.1.2.3", "10.0.0.0", 8));
  CHECK_FALSE(is_inside("10.1.2.3", "10.0.0.0", 33));
  CHECK_FALSE(is_inside("10.1.2.3", "::", 0));
  CHECK(is_inside("fe80::1", "fe80::", 10));
}

}  // namespace
}  // namespace sluice::http
