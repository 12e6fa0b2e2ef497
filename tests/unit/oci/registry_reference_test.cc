// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_reference.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"

namespace sluice::oci {
namespace {

const std::string kHex(64, 'a');
const Digest kDigest = Digest::FromHex(kHex);

}  // namespace

TEST_CASE("names of images in registries are parsed and written back") {
  struct Case {
    std::string text;
    RegistryReference expected;
    std::string written;
  };
  const Case cases[] = {
      {"debian", {"docker.io", "library/debian", "latest", {}}, "docker.io/library/debian:latest"},
      {"user/image:1", {"docker.io", "user/image", "1", {}}, "docker.io/user/image:1"},
      {"index.docker.io/debian:12", {"docker.io", "library/debian", "12", {}}, "docker.io/library/debian:12"},
      {"127.0.0.1:5000/a/b:c", {"127.0.0.1:5000", "a/b", "c", {}}, "127.0.0.1:5000/a/b:c"},
      {"localhost/a", {"localhost", "a", "latest", {}}, "localhost/a:latest"},
      {"[::1]:5000/a", {"[::1]:5000", "a", "latest", {}}, "[::1]:5000/a:latest"},
      {"Registry.Example/a__b--c.d:X_1.2-3",
       {"registry.example", "a__b--c.d", "X_1.2-3", {}},
       "registry.example/a__b--c.d:X_1.2-3"},
      {"r.example/a@sha256:" + kHex, {"r.example", "a", "", kDigest}, "r.example/a@sha256:" + kHex},
      {"r.example/a:t@sha256:" + kHex, {"r.example", "a", "t", kDigest}, "r.example/a:t@sha256:" + kHex},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const RegistryReference parsed = RegistryReference::Parse(c.text);
    CHECK(parsed == c.expected);
    CHECK(parsed.ToString() == c.written);
    CHECK(RegistryReference::Parse(c.written) == parsed);
  }
}

TEST_CASE("a digest goes before a tag when the manifest is asked for") {
  CHECK(RegistryReference::Parse("r.example/a:t").ManifestName() == "t");
  CHECK(RegistryReference::Parse("r.example/a:t@sha256:" + kHex).ManifestName() == "sha256:" + kHex);
}

TEST_CASE("names that could leave their place in a URL or path are refused") {
  for (const std::string& text : {std::string(),
                                  std::string("/"),
                                  std::string("a//b"),
                                  std::string("r.example/"),
                                  std::string("r.example//a"),
                                  std::string("r.example/../a"),
                                  std::string("r.example/a/../../v2"),
                                  std::string("r.example/a/."),
                                  std::string("r.example/A"),
                                  std::string("r.example/a:"),
                                  std::string("r.example/a:t/u"),
                                  std::string("r.example/a:.t"),
                                  std::string("r.example/a?x"),
                                  std::string("r.example/a#x"),
                                  std::string("r.example/a%2e"),
                                  std::string("r.example/a b"),
                                  std::string("r.example/a\n"),
                                  std::string("r.example/a\0b", 13),
                                  std::string("user@r.example/a"),
                                  std::string("r.example:/a"),
                                  std::string("r.example:0/a"),
                                  std::string("r.example:123456/a"),
                                  std::string("r.example:5x/a"),
                                  std::string("-r.example/a"),
                                  std::string("r..example/a"),
                                  std::string("[::1/a"),
                                  std::string("[zz]:1/a"),
                                  std::string("r.example/a@sha256:abc"),
                                  std::string("r.example/a@md5:") + std::string(32, 'a'),
                                  std::string("r.example/a@"),
                                  std::string("r.example/a___b"),
                                  std::string("r.example/a.-b"),
                                  std::string("r.example/_a"),
                                  std::string("r.example/a_"),
                                  "r.example/" + std::string(256, 'a'),
                                  "r.example/a:" + std::string(129, 'a'),
                                  std::string(256, 'a') + ".example/a"}) {
    CAPTURE(text);
    try {
      (void)RegistryReference::Parse(text);
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kInvalidArgument);
      CHECK(e.message().find('\n') == std::string::npos);
    }
  }
}

}  // namespace sluice::oci
