// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "api/json.h"
#include "base/error.h"
#include "http/percent.h"
#include "http/unix_client.h"

namespace sluice::tools {

void AddSocketOption(CLI::App& command, std::string& socket) {
  socket = "/run/sluice/sluiced.sock";
  command.add_option("--socket", socket, "Socket of the daemon")
      ->type_name("PATH")
      ->envname("SLUICE_SOCKET")
      ->capture_default_str();
}

std::string AskDaemon(const std::string& socket, std::string_view method, std::string_view target,
                      std::string_view body) {
  http::Response response;
  try {
    http::UnixClient client(socket);
    response = client.Perform(method, target, body);
  } catch (const Error& e) {
    if (e.code() != Errc::kNotFound) throw;
    Throw(Errc::kIo, "no daemon listens on '{}'; start sluiced, or name its socket with --socket", socket);
  }
  if (response.status >= 200 && response.status <= 299) return std::move(response.body);
  throw api::ParseError(response.body);
}

std::string MountTarget(std::string_view mountpoint) {
  return "/v1/mounts?mountpoint=" + http::PercentEncode(mountpoint);
}

std::string BindingTarget(std::string_view fsid, std::string_view domain) {
  std::string target = "/v1/bindings?fsid=" + http::PercentEncode(fsid);
  if (!domain.empty()) target += "&domain=" + http::PercentEncode(domain);
  return target;
}

std::string CanonicalPath(const std::string& path) {
  if (path.empty()) Throw(Errc::kInvalidArgument, "an empty path");
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::canonical(path, error);
  return error ? std::filesystem::absolute(path).string() : canonical.string();
}

std::string AbsoluteReference(const std::string& image) {
  const size_t scheme_end = image.find(':');
  if (scheme_end == std::string::npos) return image;  // no reference at all: the daemon says what it expects
  const std::string scheme = image.substr(0, scheme_end);
  if (scheme == "docker") return image;  // names no file
  const size_t path_end = std::min(image.find(':', scheme_end + 1), image.size());
  const std::string path = image.substr(scheme_end + 1, path_end - scheme_end - 1);
  std::string rest = image.substr(path_end);  // ":TAG", ":BLOBDIR" or empty
  if (path.empty()) return image;
  if (scheme == "rafs" && rest.size() > 1) rest = ":" + std::filesystem::absolute(rest.substr(1)).string();
  return scheme + ":" + std::filesystem::absolute(path).string() + rest;
}

}  // namespace sluice::tools
