// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which backend, where and how: what a backend configuration file says, as a checked value.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/blob_id.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/range.h"
#include "base/secret.h"
#include "http/proxy.h"
#include "http/transport.h"
#include "http/url.h"

namespace sluice::backend {

// "localfs": files named by blob id.
struct LocalDirectoriesConfig {
  std::vector<std::string> directories;  // a blob is taken from the first that has it
  std::string blob_file;                 // not empty: this file, whatever the blob's id; `directories` are not used
};

// "localdisk": blobs at offsets of a block device or disk image.
struct LocalDiskConfig {
  std::string device;
  bool gpt = true;                    // each blob is a partition, named by its id
  std::map<BlobId, ByteRange> blobs;  // where `gpt` is false
};

// "http": blobs below a URL; "http-proxy": the same under the names of nydusd's options.
struct HttpConfig {
  http::Url prefix;                 // a blob is at prefix/ID
  std::string unix_socket;          // not empty: the server listens there; `prefix` gives the path and the Host field
  bool one_blob = false;            // `prefix` is the blob itself: what nydusd asks of a server on a unix socket
  std::vector<http::Field> fields;  // sent with each request; secret
};

// Where the keys of an object store come from, in this order: as given; the environment; a credentials file; the
// metadata service of a virtual machine, if allowed.
struct ObjectCredentialsConfig {
  bool anonymous = false;     // requests are not signed
  std::string access_key_id;  // empty: not given
  Secret access_key_secret;
  Secret session_token;
  std::string file;     // empty: that of the environment, else ~/.aws/credentials; S3 only
  std::string profile;  // empty: that of the environment, else "default"
  bool instance_metadata = false;
};

enum class ObjectSignature : uint8_t { kAwsV4, kOssV1, kOssV4 };

// "s3" and "oss".
struct ObjectStoreConfig {
  http::Url endpoint;  // without the bucket; its path is "/"
  std::string bucket;
  bool virtual_hosted = false;  // BUCKET.endpoint/KEY instead of endpoint/BUCKET/KEY
  std::string region;           // empty for kOssV1 only
  std::string prefix;           // the key of a blob is prefix + ID, without anything in between
  ObjectSignature signature = ObjectSignature::kAwsV4;
  ObjectCredentialsConfig credentials;
};

// "registry": blobs of one repository of a container registry.
struct RegistryConfig {
  http::Url registry;      // scheme and host
  std::string repository;  // "library/ubuntu"
  std::string user;        // empty: no credentials
  Secret password;
  Secret token;  // a bearer token, sent as it is
  // Where redirects to blobs lead: in place of the scheme and host that the registry names.  Empty: not changed.
  std::string blob_scheme;
  std::string blob_host;
};

// A server that has the same blobs under the same paths.
struct MirrorConfig {
  http::Url url;                    // scheme and host; a path goes in front of the blob's
  std::vector<http::Field> fields;  // sent with each request; secret
};

// A forward proxy that the blobs come through, like Dragonfly's.
struct ForwardProxyConfig {
  http::Proxy proxy;
  std::optional<http::Url> ping;  // asked before the proxy is used again after failures
  bool fallback = true;           // without the proxy, if it fails
  bool use_http = false;          // https URLs are asked of the proxy as http, so that it sees and caches them
};

// Of all backends that are servers.
struct RemoteConfig {
  bool verify_tls = true;
  std::vector<std::string> ca_files;  // PEM; trusted besides those of the system
  std::string client_cert_file;       // PEM; empty: none
  std::string client_key_file;
  Duration connect_timeout = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(5);  // for the header of an answer, and between bytes
  unsigned retries = 3;                        // further tries of a read, within the reader's deadline
  std::optional<ForwardProxyConfig> proxy;
  std::vector<MirrorConfig> mirrors;  // asked first, best first
  bool hedge = false;                 // a second request when the first takes longer than 95 of 100 do
};

struct BackendConfig {
  std::variant<LocalDirectoriesConfig, LocalDiskConfig, HttpConfig, ObjectStoreConfig, RegistryConfig> place;
  RemoteConfig remote;               // without effect where the place is local
  std::vector<std::string> ignored;  // keys that were given and change nothing: "'file'.config.proxy.check_interval"
};

constexpr uint64_t kMaxBackendConfigBytes = 1 * kMiB;

// A backend configuration file (docs/backends.md): JSON when it begins with '{', else TOML.  `what` names it in
// messages.  Throws kInvalidArgument with the name of the key, never with its value, for anything that is not
// understood to the last key; kUnsupported for options of nydusd that have no meaning here.
BackendConfig ParseBackendConfig(std::string_view text, std::string_view what);

}  // namespace sluice::backend
