// SPDX-License-Identifier: Apache-2.0
#include "oci/registries_conf.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"

namespace sluice::oci {
namespace {

RegistryReference Image(const std::string& text) { return RegistryReference::Parse(text); }

RegistriesConf Parse(const std::string& text) {
  RegistriesConf conf;
  conf.Add(text, "f");
  return conf;
}

std::string PrefixFor(const RegistriesConf& conf, const std::string& image) {
  const RegistriesConf::Registry* registry = conf.Find(Image(image));
  return registry == nullptr ? "none" : registry->prefix;
}

}  // namespace

TEST_CASE("the registry whose prefix matches most of the name is found") {
  const RegistriesConf conf = Parse(R"(
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "r.example"
[[registry]]
location = "r.example/a"
[[registry]]
prefix = "*.example"
insecure = true
[[registry]]
prefix = "*.deep.example"
)");
  CHECK(PrefixFor(conf, "r.example/x") == "r.example");
  CHECK(PrefixFor(conf, "r.example/a/b") == "r.example/a");
  CHECK(PrefixFor(conf, "r.example/ab") == "r.example");
  CHECK(PrefixFor(conf, "other.example/x") == "*.example");
  CHECK(PrefixFor(conf, "other.example:5000/x") == "*.example");
  CHECK(PrefixFor(conf, "very.deep.example/x") == "*.deep.example");
  CHECK(PrefixFor(conf, "example.org/x") == "none");
  CHECK(conf.Find(Image("other.example/x"))->place.insecure);
}

TEST_CASE("an image is rewritten to the location of a mirror") {
  const RegistriesConf conf = Parse(R"(
[[registry]]
prefix = "docker.io/library"
location = "hub.example/all"
blocked = false
[[registry.mirror]]
location = "127.0.0.1:5000/hub"
insecure = true
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "mirror.example"
[[registry]]
prefix = "*.corp.example"
[[registry.mirror]]
location = "cache.example/corp"
)");
  const RegistryReference image = Image("debian:12");
  const RegistriesConf::Registry* registry = conf.Find(image);
  REQUIRE(registry != nullptr);
  REQUIRE(registry->mirrors.size() == 2);
  CHECK(RegistriesConf::Rewrite(*registry, registry->mirrors[0].location, image) == "127.0.0.1:5000/hub/debian");
  CHECK(registry->mirrors[0].insecure);
  CHECK(registry->mirrors[0].pull == RegistriesConf::Pull::kDigestOnly);
  CHECK(RegistriesConf::Rewrite(*registry, registry->mirrors[1].location, image) == "mirror.example/debian");
  CHECK(RegistriesConf::Rewrite(*registry, registry->place.location, image) == "hub.example/all/debian");

  const RegistryReference corporate = Image("a.corp.example/x/y");
  registry = conf.Find(corporate);
  REQUIRE(registry != nullptr);
  CHECK(RegistriesConf::Rewrite(*registry, registry->place.location, corporate) == "a.corp.example/x/y");
  CHECK(RegistriesConf::Rewrite(*registry, registry->mirrors[0].location, corporate) == "cache.example/corp/x/y");
}

TEST_CASE("a drop-in replaces the registry of the same prefix") {
  RegistriesConf conf = Parse("[[registry]]\nlocation = 'r.example'\n");
  conf.Add("[[registry]]\nlocation = 'r.example'\nblocked = true\n", "drop-in");
  CHECK(conf.Find(Image("r.example/a"))->blocked);
}

TEST_CASE("files that are no registries.conf are refused") {
  for (const std::string& text :
       {std::string("[[registry]"), std::string("[[registry]]\ninsecure = true\n"),
        std::string("[[registry]]\nlocation = 5\n"), std::string("[[registry]]\nlocation = 'https://r.example'\n"),
        std::string("[[registry]]\nlocation = 'r'\ninsecure = 'yes'\n"), std::string("registry = 3\n"),
        std::string("registry = ['r']\n"), std::string("[[registry]]\nprefix = '*.example/a'\n"),
        std::string("[[registry]]\nlocation = 'r'\n[[registry.mirror]]\ninsecure = true\n"),
        std::string("[[registry]]\nlocation = 'r'\nmirror = ['m']\n"),
        std::string("[[registry]]\nlocation = 'r'\npull-from-mirror = 'never'\n"), std::string(2 << 20, '#')}) {
    CAPTURE(text.substr(0, 80));
    try {
      (void)Parse(text);
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
    }
  }
  CHECK_THROWS_AS(Parse("[registries.search]\nregistries = ['docker.io']\n"), Error);
}

}  // namespace sluice::oci
