// SPDX-License-Identifier: Apache-2.0
#include "oci/credential_files.h"

#include <unistd.h>

#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "oci/file_source.h"

namespace sluice::oci {
namespace {

constexpr uint64_t kMaxFileBytes = 1 * kMiB;
// What Docker's helpers know Docker Hub by.
constexpr std::string_view kDockerHubServer = "https://index.docker.io/v1/";
constexpr std::string_view kUsualPath = "/usr/local/bin:/usr/bin:/bin";

std::optional<AuthFile> Load(const CredentialPlace& place) {
  FilePart whole;
  try {
    whole = Whole(InputFile::Open(place.path));
  } catch (const Error& e) {
    if (e.code() == Errc::kNotFound && !place.required) return std::nullopt;
    throw;
  }
  const std::string what = "credentials in '" + place.path + "'";
  if (whole.range.length > kMaxFileBytes)
    Throw(Errc::kLimit, "{}: {} bytes, more than {}", what, whole.range.length, kMaxFileBytes);
  if (whole.range.length == 0) return std::nullopt;  // podman makes empty ones
  return AuthFile::Parse(ReadWhole(whole), place.format, what);
}

// Somebody has named it, so it has to be there.
CredentialPlace Named(const std::string& path) {
  const bool old = path.ends_with("/.dockercfg");
  return {.path = path, .format = old ? AuthFileFormat::kDockerCfg : AuthFileFormat::kContainers, .required = true};
}

}  // namespace

std::vector<CredentialPlace> FindCredentialPlaces(const std::vector<std::string>& auth_files, unsigned uid,
                                                  const Environment& environment) {
  const auto get = [&environment](const char* name) {
    const char* value = environment(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::vector<CredentialPlace> places;
  for (const std::string& path : auth_files) places.push_back(Named(path));
  if (const std::string path = get("REGISTRY_AUTH_FILE"); places.empty() && !path.empty())
    places.push_back(Named(path));
  if (!places.empty()) return places;

  const std::string home = get("HOME");
  std::string runtime = get("XDG_RUNTIME_DIR");
  runtime = runtime.empty() ? "/run/containers/" + std::to_string(uid) : runtime + "/containers";
  places.push_back({.path = runtime + "/auth.json"});
  if (const std::string config = get("XDG_CONFIG_HOME"); !config.empty()) {
    places.push_back({.path = config + "/containers/auth.json"});
  } else if (!home.empty()) {
    places.push_back({.path = home + "/.config/containers/auth.json"});
  }
  if (const std::string docker = get("DOCKER_CONFIG"); !docker.empty()) {
    places.push_back({.path = docker + "/config.json", .format = AuthFileFormat::kDocker});
  } else if (!home.empty()) {
    places.push_back({.path = home + "/.docker/config.json", .format = AuthFileFormat::kDocker});
  }
  if (!home.empty()) places.push_back({.path = home + "/.dockercfg", .format = AuthFileFormat::kDockerCfg});
  return places;
}

std::optional<Credentials> CredentialFiles::Find(const RegistryReference& image) const {
  const std::string_view server = image.host == "docker.io" ? kDockerHubServer : std::string_view(image.host);
  for (const CredentialPlace& place : places_) {
    const auto file = Load(place);
    if (!file) continue;
    if (const std::string helper = file->HelperFor(image.host); !helper.empty()) {
      if (auto found = AskCredentialHelper(helper, server, helpers_)) return found;
    }
    if (auto found = file->Find(image)) return found;
    if (!file->default_helper().empty()) {
      if (auto found = AskCredentialHelper(file->default_helper(), server, helpers_)) return found;
    }
  }
  return std::nullopt;
}

RegistryCredentials FindCredentials(std::optional<Credentials> given, const std::vector<std::string>& auth_files,
                                    const Environment& environment) {
  const char* path = environment("PATH");
  HelperOptions helpers{.search_path = path == nullptr ? std::string(kUsualPath) : path};
  const auto files =
      std::make_shared<CredentialFiles>(FindCredentialPlaces(auth_files, ::geteuid(), environment), std::move(helpers));
  if (!given) return {.registry = files, .mirrors = files};
  return {.registry = std::make_shared<FixedCredentials>(*std::move(given)), .mirrors = files};
}

}  // namespace sluice::oci
