// SPDX-License-Identifier: Apache-2.0
#include "oci/credential_files.h"

#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "oci/file_source.h"

namespace sluice::oci {
namespace {

constexpr uint64_t kMaxFileBytes = 1 * kMiB;
// What Docker's helpers know Docker Hub by.
constexpr std::string_view kDockerHubServer = "https://index.docker.io/v1/";

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

}  // namespace

std::vector<CredentialPlace> FindCredentialPlaces(const std::string& authfile, unsigned uid,
                                                  const std::function<const char*(const char*)>& environment) {
  const auto get = [&environment](const char* name) {
    const char* value = environment(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (!authfile.empty()) return {{.path = authfile, .required = true}};
  if (std::string path = get("REGISTRY_AUTH_FILE"); !path.empty()) return {{.path = std::move(path), .required = true}};

  std::vector<CredentialPlace> places;
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

}  // namespace sluice::oci
