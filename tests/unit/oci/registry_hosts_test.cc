// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_hosts.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "oci/hosts_toml.h"
#include "support/temporary_directory.h"

namespace sluice::oci {
namespace {

using sluice::test::TemporaryDirectory;

RegistryReference Image(const std::string& text) { return RegistryReference::Parse(text); }

// The files of one machine below a folder.
class Machine {
 public:
  void Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::vector<Endpoint> Find(const std::string& image, const EndpointOptions& options = {}) const {
    const RegistryHosts hosts({.hosts_directories = {folder_.path() + "/hosts"},
                               .registries_conf = {folder_.path() + "/registries.conf"},
                               .certs_directories = {folder_.path() + "/certs.d"}});
    return hosts.Find(Image(image), options);
  }
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

 private:
  const TemporaryDirectory folder_;
};

std::string Api(const Endpoint& endpoint) { return endpoint.UrlOf("x").ToString(); }

}  // namespace

TEST_CASE("without any file the registry itself is asked, over https with verification") {
  const Machine machine;
  const auto endpoints = machine.Find("r.example:5000/a/b:t");
  REQUIRE(endpoints.size() == 1);
  CHECK(Api(endpoints[0]) == "https://r.example:5000/v2/a/b/x");
  CHECK(endpoints[0].connect.tls->verify);
  CHECK(!endpoints[0].may_be_plain);
  CHECK(endpoints[0].resolve);
  CHECK(endpoints[0].push);
  CHECK(Api(machine.Find("debian").front()) == "https://registry-1.docker.io/v2/library/debian/x");
  CHECK(machine.Find("debian").front().image.host == "docker.io");
}

TEST_CASE("mirrors of registries.conf come first and are not pushed to") {
  const Machine machine;
  machine.Write("registries.conf",
                "[[registry]]\nlocation = 'r.example'\n[[registry.mirror]]\nlocation = 'm.example:1/r'\n"
                "insecure = true\n[[registry.mirror]]\nlocation = 'd.example'\n"
                "pull-from-mirror = 'digest-only'\n");
  const auto endpoints = machine.Find("r.example/a:t");
  REQUIRE(endpoints.size() == 2);
  CHECK(Api(endpoints[0]) == "https://m.example:1/v2/r/a/x");
  CHECK(endpoints[0].image.Name() == "m.example:1/r/a");
  CHECK(endpoints[0].may_be_plain);
  CHECK(!endpoints[0].connect.tls->verify);
  CHECK(!endpoints[0].push);
  CHECK(endpoints[0].is_mirror);
  CHECK(Api(endpoints[1]) == "https://r.example/v2/a/x");
  CHECK(endpoints[1].push);
  CHECK(!endpoints[1].is_mirror);
  CHECK(machine.Find("r.example/a@sha256:" + std::string(64, 'a')).size() == 3);

  // What the command line says goes before what the file says.
  EndpointOptions verify;
  verify.tls_verify = true;
  CHECK(!machine.Find("r.example/a", verify)[0].may_be_plain);
  EndpointOptions trust;
  trust.tls_verify = false;
  CHECK(machine.Find("r.example/a", trust)[1].may_be_plain);
}

TEST_CASE("drop-ins count, blocked registries are refused") {
  const Machine machine;
  machine.Write("registries.conf.d/10.conf", "[[registry]]\nlocation = 'evil.example'\nblocked = true\n");
  machine.Write("registries.conf.d/ignored.txt", "no toml");
  CHECK(machine.Find("good.example/a").size() == 1);
  try {
    (void)machine.Find("evil.example/a");
    FAIL_CHECK("not blocked");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kPermission);
  }
}

TEST_CASE("hosts.toml gives mirrors in the order of the file, then the server") {
  const Machine machine;
  machine.Write("hosts/r.example_5000_/hosts.toml", R"(
server = "https://origin.example"
[host."https://z.example"]
  capabilities = ["pull"]
  ca = "z.pem"
  [host."https://z.example".header]
    x-key = ["s3cr3t"]
[host."http://a.example:81/prefix"]
  capabilities = ["pull", "resolve"]
  skip_verify = true
[host."https://b.example/whole/api/"]
  override_path = true
  client = [["/nonexistent/never-read-with-cert-dir.pem", ""]]
)");
  machine.Write("hosts/r.example_5000_/z.pem", "PEM");
  EndpointOptions options;
  options.cert_dir = machine.Path("own");
  std::filesystem::create_directories(options.cert_dir);
  auto endpoints = machine.Find("r.example:5000/a", options);
  REQUIRE(endpoints.size() == 4);
  CHECK(Api(endpoints[0]) == "https://z.example/v2/a/x?ns=r.example%3A5000");
  CHECK(!endpoints[0].resolve);
  CHECK(!endpoints[0].push);
  REQUIRE(endpoints[0].fields.size() == 1);
  CHECK(endpoints[0].fields[0].value == "s3cr3t");
  CHECK(endpoints[0].fields[0].secret);
  CHECK(endpoints[0].image.Name() == "z.example/a");
  CHECK(Api(endpoints[1]) == "http://a.example:81/prefix/v2/a/x?ns=r.example%3A5000");
  CHECK(!endpoints[1].connect.tls->verify);
  CHECK(Api(endpoints[2]) == "https://b.example/whole/api/a/x?ns=r.example%3A5000");
  CHECK(Api(endpoints[3]) == "https://origin.example/v2/a/x");
  CHECK(endpoints[3].push);
  CHECK(endpoints[3].image.Name() == "r.example:5000/a");
}

TEST_CASE("hosts.toml of _default counts for registries without their own") {
  const Machine machine;
  machine.Write("hosts/_default/hosts.toml", "[host.'https://m.example']\nca = 'm.pem'\n");
  machine.Write("hosts/_default/m.pem", "PEM OF M");
  const auto endpoints = machine.Find("r.example/a");
  REQUIRE(endpoints.size() == 2);
  CHECK(endpoints[0].connect.tls->extra_ca == "PEM OF M\n");
  CHECK(Api(endpoints[1]) == "https://r.example/v2/a/x");
}

TEST_CASE("certs.d has the authorities and the client certificate of a host") {
  const Machine machine;
  machine.Write("certs.d/r.example:5000/b.crt", "B");
  machine.Write("certs.d/r.example:5000/a.crt", "A");
  machine.Write("certs.d/r.example:5000/client.cert", "C");
  machine.Write("certs.d/r.example:5000/client.key", "K");
  const auto tls = machine.Find("r.example:5000/a").front().connect.tls;
  CHECK(tls->extra_ca == "A\nB\n");
  CHECK(tls->client_cert == "C");
  CHECK(tls->client_key == "K");
  CHECK(machine.Find("r.example/a").front().connect.tls->extra_ca.empty());

  // --cert-dir stands in its place.
  machine.Write("own/own.crt", "OWN");
  EndpointOptions options;
  options.cert_dir = machine.Path("own");
  CHECK(machine.Find("r.example:5000/a", options).front().connect.tls->extra_ca == "OWN\n");
  options.cert_dir = machine.Path("nowhere");
  CHECK_THROWS_AS(machine.Find("r.example:5000/a", options), Error);

  machine.Write("certs.d/keyless.example/client.cert", "C");
  CHECK_THROWS_AS(machine.Find("keyless.example/a"), Error);
}

TEST_CASE("files that are no hosts.toml are refused without the values of their headers") {
  const http::Url server = http::Url::Parse("https://r.example/v2");
  for (const std::string& text :
       {std::string("server = 5\n"), std::string("server = 'ftp://r.example'\n"), std::string("host = 5\n"),
        std::string("[host]\n'https://m.example' = 5\n"), std::string("[host.'https://m.example']\ncapabilities = 5\n"),
        std::string("[host.'https://m.example']\ncapabilities = [5]\n"), std::string("[host.'https://m.example?q']\n"),
        std::string("[host.'https://m.example']\nskip_verify = 'no'\n"),
        std::string("[host.'https://m.example']\nclient = [['a', 'b', 'c']]\n"),
        std::string("[host.'https://m.example'.header]\nx = \"s3cr3t\\r\\ny: z\"\n"),
        std::string("[host.'https://m.example'.header]\n'x:y' = 's3cr3t'\n"),
        std::string("[host.'https://m.example'.header]\nx = { s3cr3t = 1 }\n"),
        std::string("[host.'https://m.example'.header]\nx = s3cr3t\n")}) {
    CAPTURE(text);
    try {
      (void)HostsToml::Parse(text, server, "f");
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK((e.code() == Errc::kCorrupt || e.code() == Errc::kInvalidArgument));
      CHECK(e.message().find("s3cr3t") == std::string::npos);
    }
  }
}

}  // namespace sluice::oci
