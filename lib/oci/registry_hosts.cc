// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_hosts.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "oci/file_source.h"
#include "oci/hosts_toml.h"
#include "oci/registries_conf.h"

namespace sluice::oci {
namespace {

constexpr uint64_t kMaxFileBytes = 1 * kMiB;
constexpr size_t kMaxFilesInFolder = 1000;
constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubServer = "registry-1.docker.io";

std::optional<std::string> ReadIfThere(const std::string& path) {
  try {
    const FilePart whole = Whole(InputFile::Open(path));
    if (whole.range.length > kMaxFileBytes)
      Throw(Errc::kLimit, "'{}' has {} bytes, more than {}", path, whole.range.length, kMaxFileBytes);
    return std::string(AsText(ReadWhole(whole)));
  } catch (const Error& e) {
    if (e.code() == Errc::kNotFound) return std::nullopt;
    throw;
  }
}

std::string ReadNamed(const std::string& path) {
  auto text = ReadIfThere(path);
  if (!text) Throw(Errc::kNotFound, "'{}' does not exist", path);
  return *std::move(text);
}

// The names in a folder that end with `suffix`, sorted; nothing when there is no such folder.
std::optional<std::vector<std::string>> NamesIn(const std::string& folder, std::string_view suffix) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
  if (!directory) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    ThrowErrno(errno, "cannot read the folder '{}'", folder);
  }
  std::vector<std::string> names;
  for (size_t count = 0; const dirent* entry = ::readdir(directory.get());) {
    if (++count > kMaxFilesInFolder)
      Throw(Errc::kLimit, "folder '{}' has more than {} files", folder, kMaxFilesInFolder);
    const std::string_view name = entry->d_name;
    if (name.ends_with(suffix) && name.size() > suffix.size()) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// What a folder of certs.d says (dockerd, "Use self-signed certificates"): *.crt are authorities, NAME.cert and
// NAME.key the client.  Of several clients the first by name is taken.  False: there is no such folder.
bool AddCertificates(const std::string& folder, http::TlsOptions& tls) {
  const auto authorities = NamesIn(folder, ".crt");
  if (!authorities) return false;
  for (const std::string& name : *authorities) tls.extra_ca += ReadNamed(folder + "/" + name) + "\n";
  const auto clients = NamesIn(folder, ".cert");
  if (clients && !clients->empty()) {
    const std::string& name = clients->front();
    tls.client_cert = ReadNamed(folder + "/" + name);
    tls.client_key = ReadNamed(folder + "/" + name.substr(0, name.rfind('.')) + ".key");
  }
  return true;
}

std::string HostOf(const http::Url& url) {
  const std::string text = url.origin().ToString();
  return text.substr(text.find("://") + 3);
}

http::Url DefaultApi(const std::string& host) {
  return http::Url::Parse("https://" + std::string(host == kDockerHub ? kDockerHubServer : host) + "/v2");
}

// Collects what all endpoints of one image have in common.
class Finder {
 public:
  Finder(const RegistryHostsPaths& paths, const RegistryReference& image, const EndpointOptions& options)
      : paths_(paths), image_(image), options_(options) {}

  // By containerd's files; nothing when it has none for this registry.
  std::optional<std::vector<Endpoint>> FromHostsToml() const {
    for (const std::string& root : paths_.hosts_directories) {
      for (const std::string& name : FolderNames()) {
        const std::string folder = root + "/" + name;
        const std::string path = folder + "/hosts.toml";
        const auto text = ReadIfThere(path);
        if (!text) continue;
        const HostsToml parsed = HostsToml::Parse(*text, DefaultApi(image_.host), "'" + path + "'");
        std::vector<Endpoint> endpoints;
        for (const HostsToml::Host& host : parsed.hosts) endpoints.push_back(ToEndpoint(host, folder));
        return endpoints;
      }
    }
    return std::nullopt;
  }

  // By containers-registries.conf(5), or just the registry itself.
  std::vector<Endpoint> FromRegistriesConf() const {
    RegistriesConf conf;
    for (const std::string& path : paths_.registries_conf) {
      const auto text = ReadIfThere(path);
      if (text) conf.Add(*text, "'" + path + "'");
      const auto names = NamesIn(path + ".d", ".conf");
      if (names) {
        for (const std::string& name : *names) {
          const std::string part = path + ".d/" + name;
          if (const auto content = ReadIfThere(part)) conf.Add(*content, "'" + part + "'");
        }
      }
      if (text || names) break;
    }
    std::vector<Endpoint> endpoints;
    const RegistriesConf::Registry* registry = conf.Find(image_);
    if (registry == nullptr) {
      endpoints.push_back(ToEndpoint(image_, false, true));
      return endpoints;
    }
    if (registry->blocked)
      Throw(Errc::kPermission, "registry '{}' is blocked by registries.conf ('{}')", image_.host, registry->prefix);
    for (const RegistriesConf::Place& mirror : registry->mirrors) {
      if (mirror.pull == RegistriesConf::Pull::kDigestOnly && !image_.digest) continue;
      if (mirror.pull == RegistriesConf::Pull::kTagOnly && image_.digest) continue;
      endpoints.push_back(ToEndpoint(Rewritten(*registry, mirror), mirror.insecure, false));
    }
    endpoints.push_back(ToEndpoint(Rewritten(*registry, registry->place), registry->place.insecure, true));
    return endpoints;
  }

 private:
  // containerd, docs/hosts.md: a port is written "_5000_" where a colon is no part of a name.
  std::vector<std::string> FolderNames() const {
    std::vector<std::string> names;
    if (const size_t colon = image_.host.rfind(':'); colon != std::string::npos && !image_.host.ends_with(']')) {
      names.push_back(image_.host.substr(0, colon) + "_" + image_.host.substr(colon + 1) + "_");
    }
    names.push_back(image_.host);
    names.emplace_back("_default");
    return names;
  }

  Endpoint ToEndpoint(const HostsToml::Host& host, const std::string& folder) const {
    Endpoint endpoint = MakeEndpoint(host.api, host.is_server ? image_ : At(HostOf(host.api)), host.skip_verify);
    endpoint.pull = host.pull;
    endpoint.resolve = host.resolve;
    endpoint.push = host.push && host.is_server;
    endpoint.is_mirror = !host.is_server;
    if (!host.is_server) endpoint.mirror_of = image_.host;
    // What the administrator wrote as http:// is http.
    endpoint.may_be_plain = endpoint.may_be_plain && host.api.secure();
    for (const auto& [name, value] : host.header) endpoint.fields.push_back({name, value, true});
    if (options_.cert_dir.empty() && (!host.ca.empty() || !host.clients.empty())) {
      http::TlsOptions tls{.verify = endpoint.connect.tls->verify};
      const auto absolute = [&folder](const std::string& path) {
        return path.starts_with('/') ? path : folder + "/" + path;
      };
      for (const std::string& path : host.ca) tls.extra_ca += ReadNamed(absolute(path)) + "\n";
      if (!host.clients.empty()) {
        const auto& [certificate, key] = host.clients.front();
        tls.client_cert = ReadNamed(absolute(certificate));
        tls.client_key = key.empty() ? tls.client_cert : ReadNamed(absolute(key));
      }
      endpoint.connect.tls = std::make_shared<const http::TlsOptions>(std::move(tls));
    }
    return endpoint;
  }

  Endpoint ToEndpoint(const RegistryReference& image, bool insecure, bool origin) const {
    Endpoint endpoint = MakeEndpoint(DefaultApi(image.host), image, insecure);
    endpoint.push = origin;
    endpoint.is_mirror = !origin;
    return endpoint;
  }

  Endpoint MakeEndpoint(const http::Url& api, const RegistryReference& image, bool insecure) const {
    Endpoint endpoint{.api = api, .repository = image.repository, .image = image};
    http::TlsOptions tls{.verify = options_.tls_verify.value_or(!insecure)};
    endpoint.may_be_plain = !tls.verify;
    if (!options_.cert_dir.empty()) {
      if (!AddCertificates(options_.cert_dir, tls))
        Throw(Errc::kNotFound, "folder of certificates '{}' does not exist", options_.cert_dir);
    } else {
      for (const std::string& root : paths_.certs_directories) {
        if (AddCertificates(root + "/" + image.host, tls)) break;
      }
    }
    endpoint.connect.tls = std::make_shared<const http::TlsOptions>(std::move(tls));
    endpoint.connect.proxies = options_.proxies;
    endpoint.hedge = options_.hedge;
    return endpoint;
  }

  RegistryReference At(std::string host) const {
    RegistryReference image = image_;
    image.host = std::move(host);
    return image;
  }

  RegistryReference Rewritten(const RegistriesConf::Registry& registry, const RegistriesConf::Place& place) const {
    RegistryReference image;
    try {
      image = RegistryReference::Parse(RegistriesConf::Rewrite(registry, place.location, image_));
    } catch (Error& e) {
      e.AddContext("location '" + place.location + "' of registries.conf");
      throw;
    }
    image.tag = image_.tag;
    image.digest = image_.digest;
    return image;
  }

  const RegistryHostsPaths& paths_;
  const RegistryReference& image_;
  const EndpointOptions& options_;
};

}  // namespace

http::Url Endpoint::UrlOf(std::string_view rest) const {
  std::string path = api.path();
  if (!path.ends_with('/')) path += '/';
  const http::Url url = api.WithPath(path + repository + "/" + std::string(rest));
  return mirror_of.empty() ? url : url.WithQuery("ns", mirror_of);
}

RegistryHostsPaths RegistryHostsPaths::Default(const std::function<const char*(const char*)>& environment) {
  const auto get = [&environment](const char* name) {
    const char* value = environment(name);
    return std::string(value == nullptr ? "" : value);
  };
  RegistryHostsPaths paths;
  std::string config = get("XDG_CONFIG_HOME");
  if (config.empty() && !get("HOME").empty()) config = get("HOME") + "/.config";
  paths.hosts_directories = {"/etc/containerd/certs.d"};
  if (const std::string named = get("CONTAINERS_REGISTRIES_CONF"); !named.empty()) {
    paths.registries_conf = {named};
  } else {
    if (!config.empty()) paths.registries_conf.push_back(config + "/containers/registries.conf");
    paths.registries_conf.emplace_back("/etc/containers/registries.conf");
  }
  if (!config.empty()) paths.certs_directories.push_back(config + "/containers/certs.d");
  paths.certs_directories.emplace_back("/etc/containers/certs.d");
  paths.certs_directories.emplace_back("/etc/docker/certs.d");
  return paths;
}

std::vector<Endpoint> RegistryHosts::Find(const RegistryReference& image, const EndpointOptions& options) const {
  const Finder finder(paths_, image, options);
  if (auto endpoints = finder.FromHostsToml()) return *std::move(endpoints);
  return finder.FromRegistriesConf();
}

}  // namespace sluice::oci
