// SPDX-License-Identifier: Apache-2.0
#include "oci/auth_file.h"

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/error.h"
#include "oci/json.h"

namespace sluice::oci {
namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr size_t kMaxEntries = 4096;
constexpr size_t kMaxHelperName = 64;
// The user name with which a helper says that its secret is an identity token (docker-credential-helpers, README).
constexpr std::string_view kTokenUser = "<token>";

// A key as it is compared: without scheme; of Docker's keys and those that were URLs, the host only; one name for
// Docker Hub, which has several.
std::string Normalize(std::string_view key, bool host_only) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!key.starts_with(scheme)) continue;
    key.remove_prefix(scheme.size());
    host_only = true;
    break;
  }
  const size_t slash = key.find('/');
  std::string_view host = key.substr(0, slash);
  const std::string_view path = slash == std::string_view::npos || host_only ? std::string_view() : key.substr(slash);
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = kDockerHub;
  return std::string(host).append(path);
}

// Names become part of a program's name.
std::string HelperName(const JsonView& view) {
  std::string name = view.Text();
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (name.size() > kMaxHelperName || !std::ranges::all_of(name, allowed))
    Throw(Errc::kCorrupt, "{} names no helper", view.where());
  return name;
}

std::optional<Credentials> ParseEntry(const JsonView& view) {
  Credentials credentials{.user = view.TextOr("username", ""),
                          .password = Secret(view.TextOr("password", "")),
                          .identity_token = Secret(view.TextOr("identitytoken", "")),
                          .registry_token = Secret(view.TextOr("registrytoken", ""))};
  if (const std::string encoded = view.TextOr("auth", ""); !encoded.empty()) {
    std::string decoded;
    try {
      decoded = DecodeBase64(encoded);
    } catch (const Error&) {
      Throw(Errc::kCorrupt, "{}.auth is no base64", view.where());
    }
    const size_t colon = decoded.find(':');
    if (colon == std::string::npos || colon == 0) Throw(Errc::kCorrupt, "{}.auth is not USER:PASSWORD", view.where());
    credentials.user = decoded.substr(0, colon);
    std::string_view password = std::string_view(decoded).substr(colon + 1);
    while (password.ends_with('\0')) password.remove_suffix(1);  // old versions of Docker padded with NULs
    credentials.password = Secret(password);
  }
  // An empty entry says that a helper has the credentials.
  if (credentials == Credentials()) return std::nullopt;
  return credentials;
}

}  // namespace

AuthFile AuthFile::Parse(ConstBytes json, AuthFileFormat format, std::string_view what) {
  const Json document = ParseJson(json, what);
  const JsonView view(document, std::string(what));
  view.RequireObject();
  AuthFile file;
  const auto add_entries = [&file, format](const JsonView& list) {
    list.RequireObject();
    if (list.json().size() > kMaxEntries)
      Throw(Errc::kCorrupt, "{} has {} entries, more than {}", list.where(), list.json().size(), kMaxEntries);
    for (const auto& [key, value] : list.json().items()) {
      if (auto entry = ParseEntry(JsonView(value, list.where() + "." + key)))
        file.entries_.emplace(Normalize(key, format != AuthFileFormat::kContainers), *std::move(entry));
    }
  };
  if (format == AuthFileFormat::kDockerCfg) {
    add_entries(view);
    return file;
  }
  if (const auto auths = view.Find("auths")) add_entries(*auths);
  if (const auto helpers = view.Find("credHelpers")) {
    helpers->RequireObject();
    for (const auto& [key, value] : helpers->json().items())
      file.helpers_.emplace(Normalize(key, true), HelperName(JsonView(value, helpers->where() + "." + key)));
  }
  if (const auto store = view.Find("credsStore")) file.default_helper_ = HelperName(*store);
  return file;
}

std::string AuthFile::HelperFor(std::string_view host) const {
  const auto found = helpers_.find(host);
  return found == helpers_.end() ? std::string() : found->second;
}

std::optional<Credentials> AuthFile::Find(const RegistryReference& image) const {
  std::string key = image.Name();
  for (;;) {
    if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
    const size_t slash = key.rfind('/');
    if (slash == std::string::npos) return std::nullopt;
    key.resize(slash);
  }
}

Credentials ParseHelperAnswer(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  const JsonView view(document, std::string(what));
  std::string user = view.Get("Username").Text();
  Secret secret(view.Get("Secret").Text());
  if (user == kTokenUser) return {.identity_token = std::move(secret)};
  return {.user = std::move(user), .password = std::move(secret)};
}

}  // namespace sluice::oci
