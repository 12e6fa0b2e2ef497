// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the images of a registry are really asked for: mirrors, TLS material and other wishes of the administrator.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/transport.h"
#include "http/url.h"
#include "oci/registry_reference.h"

namespace sluice::oci {

// A server that may have an image.
struct Endpoint {
  http::Url api;           // the root of the registry API there: "https://mirror.example/v2"
  std::string repository;  // the image's name there
  // Whose credentials are used, and the name in messages: host with port, or with the path of a mirror.
  RegistryReference image;
  bool may_be_plain = false;  // verification is off: plain http is tried when https fails
  bool pull = true;           // may be asked for manifests by digest and for blobs
  bool resolve = true;        // may say what a tag means
  bool push = false;
  bool is_mirror = false;  // who we are at the registry is none of its business
  std::string mirror_of;   // the registry whose images it has, sent as "ns" (containerd's mirrors); empty: not sent
  http::ConnectOptions connect;
  bool hedge = false;               // a second request for a blob when the first takes longer than 95 of 100 do
  std::vector<http::Field> fields;  // sent with each request
  // A forward proxy that it is asked through and that may be down while the server is not: whose health counts.
  std::optional<http::Origin> proxy;

  // The URL of `rest` ("manifests/latest") below the repository.
  http::Url UrlOf(std::string_view rest) const;
};

// What the caller of one operation wants, above all files.
struct EndpointOptions {
  std::optional<bool> tls_verify;  // --tls-verify
  std::string cert_dir;  // --cert-dir: *.crt, *.cert and *.key of the registry in place of certs.d; empty: none
  std::shared_ptr<const http::ProxyRules> proxies;
  bool hedge = false;
};

// Where the files are; nothing is read that is not there.
struct RegistryHostsPaths {
  std::vector<std::string> hosts_directories;  // of hosts.toml: /etc/containerd/certs.d
  std::vector<std::string> registries_conf;    // the first that exists counts, with its ".d" folder
  std::vector<std::string> certs_directories;  // certs.d: HOST[:PORT]/{*.crt,*.cert,*.key}

  // The places of containerd, containers-registries.conf(5) and Docker; `environment` is getenv(3).
  static RegistryHostsPaths Default(const std::function<const char*(const char*)>& environment);
};

// Immutable; reads its files anew at each call.
class RegistryHosts {
 public:
  explicit RegistryHosts(RegistryHostsPaths paths) : paths_(std::move(paths)) {}

  // The servers for `image`, the first to be asked first; the last one is the registry itself unless the configuration
  // says otherwise.  Never empty.  Blocks: call it in Offload.  Throws kPermission when the registry is blocked,
  // kCorrupt for files that cannot be understood.
  std::vector<Endpoint> Find(const RegistryReference& image, const EndpointOptions& options) const;

 private:
  const RegistryHostsPaths paths_;
};

}  // namespace sluice::oci
