// SPDX-License-Identifier: Apache-2.0
#include "access_options.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/limits.h"
#include "ignored_keys.h"

namespace sluice::tools {
namespace {

constexpr uint64_t kMaxConfigBytes = 512 * kKiB;  // fits into a request, also when JSON has to escape much of it

std::string Absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

Secret ReadConfig(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content(kMaxConfigBytes + 1, '\0');
  if (!file || !file.read(content.data(), static_cast<std::streamsize>(content.size())).eof()) {
    if (file) Throw(Errc::kLimit, "backend configuration '{}' has more than {} bytes", path, kMaxConfigBytes);
    ThrowErrno(errno == 0 ? EIO : errno, "cannot read backend configuration '{}'", path);
  }
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.empty()) Throw(Errc::kInvalidArgument, "backend configuration '{}' is empty", path);
  try {
    TellIgnoredKeys(backend::ParseBackendConfig(content, "'" + path + "'"));
  } catch (const Error&) {
    // It is the daemon's to say what it does not take.
  }
  return Secret(content);
}

}  // namespace

void AddAccessOptions(CLI::App& command, AccessOptions& options) {
  command
      .add_flag("--tls-verify", options.tls_verify,
                "--tls-verify=false: take any certificate of the registry, and plain HTTP too")
      ->each([&options](const std::string&) { options.tls_verify_given = true; });
  command.add_option("--creds", options.credentials, "Log in to the registry with these")->type_name("USER[:PASSWORD]");
  command.add_option("--authfile", options.auth_file, "Look up credentials for the registry here")
      ->type_name("FILE")
      ->envname("REGISTRY_AUTH_FILE");
  command.add_option("--cert-dir", options.cert_dir, "Certificates (*.crt, *.cert, *.key) for the registry")
      ->type_name("DIR");
  command.add_option("--backend-config", options.backend_config, "Fetch the blobs from where this file says")
      ->type_name("FILE");
}

api::ImageAccess ToImageAccess(const AccessOptions& options) {
  api::ImageAccess access{.cert_dir = Absolute(options.cert_dir)};
  if (options.tls_verify_given) access.tls_verify = options.tls_verify;
  if (!options.auth_file.empty()) access.auth_files.push_back(Absolute(options.auth_file));
  access.credentials = Secret(options.credentials);
  if (!options.backend_config.empty()) access.backend_config = ReadConfig(options.backend_config);
  return access;
}

}  // namespace sluice::tools
