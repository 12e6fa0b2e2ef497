// SPDX-License-Identifier: Apache-2.0
#include "access_options.h"

#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "support/temporary_directory.h"

namespace sluice::tools {
namespace {

api::ImageAccess Parse(const std::string& line) {
  CLI::App app("test");
  AccessOptions options;
  AddAccessOptions(app, options);
  app.parse(line);
  return ToImageAccess(options);
}

TEST_CASE("without options everything is left to the daemon") {
  ::unsetenv("REGISTRY_AUTH_FILE");
  CHECK(Parse("") == api::ImageAccess{});
}

TEST_CASE("--tls-verify is understood as by skopeo") {
  CHECK(Parse("--tls-verify").tls_verify == true);
  CHECK(Parse("--tls-verify=true").tls_verify == true);
  CHECK(Parse("--tls-verify=false").tls_verify == false);
  CHECK_THROWS_AS(Parse("--tls-verify=perhaps"), CLI::ParseError);
  CHECK_THROWS_AS(Parse("--tls-verify false"), CLI::ParseError);  // "false" is the next argument
}

TEST_CASE("the daemon gets absolute paths and the content of the configuration") {
  const test::TemporaryDirectory directory;
  const std::string here = std::filesystem::current_path().string();
  std::ofstream(directory / "s3.json") << "{\"type\": \"s3\"}";
  const auto access =
      Parse("--creds user:pass --authfile auth.json --cert-dir ./certs --backend-config " + directory / "s3.json");
  CHECK(access.credentials == Secret("user:pass"));
  CHECK(access.auth_files == std::vector<std::string>{here + "/auth.json"});
  CHECK(access.cert_dir == here + "/certs");
  CHECK(access.backend_config == Secret("{\"type\": \"s3\"}"));
}

TEST_CASE("a backend configuration that cannot be read says why") {
  const test::TemporaryDirectory directory;
  const auto code = [](const std::string& path) {
    try {
      Parse("--backend-config " + path);
    } catch (const Error& error) {
      CHECK_THAT(error.message(), Catch::Contains(path));
      return error.code();
    }
    return Errc::kStopped;
  };
  CHECK(code(directory / "missing") == Errc::kNotFound);
  std::ofstream(directory / "empty");
  CHECK(code(directory / "empty") == Errc::kInvalidArgument);
  std::ofstream(directory / "large") << std::string(600'000, ' ');
  CHECK(code(directory / "large") == Errc::kLimit);
}

}  // namespace
}  // namespace sluice::tools
