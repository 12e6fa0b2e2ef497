// SPDX-License-Identifier: Apache-2.0
#include "backend/config.h"

#include <algorithm>
#include <utility>

#include "backend/config_text.h"
#include "base/base64.h"
#include "base/error.h"

namespace sluice::backend {
namespace {

using http::Field;
using http::Url;
using oci::JsonView;

constexpr size_t kMaxListLength = 64;  // of directories, mirrors, certificates, header fields
constexpr size_t kMaxLocalDiskBlobs = 4096;
constexpr uint64_t kMaxSeconds = 3600;
constexpr uint64_t kMaxRetries = 255;  // nydusd keeps them in a byte
constexpr uint64_t kMaxDeviceOffset = INT64_MAX;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

void RequirePlain(const std::string& text, const std::string& where) {
  if (std::any_of(text.begin(), text.end(), IsControl))
    Throw(Errc::kInvalidArgument, "{} has a control character", where);
}

std::string AbsolutePath(std::string path, const std::string& where) {
  RequirePlain(path, where);
  if (!path.starts_with('/')) Throw(Errc::kInvalidArgument, "{} is no absolute path", where);
  return path;
}

std::string OptionalPath(ConfigObject& from, std::string_view key) {
  std::string path = from.Text(key);
  return path.empty() ? path : AbsolutePath(std::move(path), from.where() + "." + std::string(key));
}

// The value may hold a password: it is not repeated.
Url ParseUrl(const std::string& text, const std::string& where) {
  try {
    return Url::Parse(text);
  } catch (const Error&) {
    Throw(Errc::kInvalidArgument, "{} is no URL of http or https, without user and password", where);
  }
}

// scheme://host with nothing behind it; `place` may bring its own scheme.
Url ParseServer(const std::string& scheme, const std::string& place, const std::string& where) {
  const bool complete = place.find("://") != std::string::npos;
  const Url url = ParseUrl(complete ? place : (scheme.empty() ? "https" : scheme) + "://" + place, where);
  if (complete && !scheme.empty() && url.origin().scheme != scheme)
    Throw(Errc::kInvalidArgument, "{} contradicts the scheme '{}'", where, scheme);
  if (url.path() != "/" || !url.query().empty()) Throw(Errc::kInvalidArgument, "{} is more than a server", where);
  return url;
}

std::string ParseScheme(ConfigObject& from, std::string_view key = "scheme") {
  std::string scheme = from.Text(key);
  if (!scheme.empty() && scheme != "http" && scheme != "https")
    Throw(Errc::kInvalidArgument, "{}.{} is neither 'http' nor 'https'", from.where(), key);
  return scheme;
}

std::vector<Field> ParseFields(ConfigObject& from, std::string_view key) {
  std::vector<Field> fields;
  const auto value = from.Find(key);
  if (!value) return fields;
  for (auto& [name, text] : value->TextMap()) {
    const bool is_token = !name.empty() && name.find_first_not_of(
                                               "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
    if (!is_token) Throw(Errc::kInvalidArgument, "{} has a key that is no name of a header field", value->where());
    RequirePlain(text, value->where() + "." + name);
    fields.push_back(Field{name, text, true});
  }
  if (fields.size() > kMaxListLength)
    Throw(Errc::kInvalidArgument, "{} has {} fields, more than {}", value->where(), fields.size(), kMaxListLength);
  return fields;
}

std::optional<ForwardProxyConfig> ParseProxy(const std::optional<JsonView>& view, std::vector<std::string>& ignored) {
  if (!view) return std::nullopt;
  ConfigObject from(*view);
  const std::string url = from.Text("url");
  const std::string ping = from.Text("ping_url");
  const bool fallback = from.Flag("fallback", true);
  const bool use_http = from.Flag("use_http", false);
  // How often nydusd asks the ping URL.  Here a failing proxy is left alone for a while that grows.
  from.Ignore("check_interval", ignored);
  from.Ignore("check_pause_elapsed", ignored);
  if (!from.Text("dragonfly_scheduler_endpoint").empty())
    Throw(Errc::kUnsupported, "{}.dragonfly_scheduler_endpoint: give the URL of Dragonfly's proxy instead",
          from.where());
  from.Finish();
  if (url.empty()) {
    if (!ping.empty()) Throw(Errc::kInvalidArgument, "{}.ping_url without {}.url", from.where(), from.where());
    return std::nullopt;
  }
  std::optional<http::Proxy> proxy;
  try {
    proxy = http::Proxy::Parse(url);
  } catch (const Error& e) {
    Throw(e.code(), "{}.url is no URL of an http or https proxy", from.where());
  }
  ForwardProxyConfig config{std::move(*proxy), std::nullopt, fallback, use_http};
  if (!ping.empty()) config.ping = ParseUrl(ping, from.where() + ".ping_url");
  return config;
}

std::vector<MirrorConfig> ParseMirrors(const std::optional<JsonView>& view, std::vector<std::string>& ignored) {
  std::vector<MirrorConfig> mirrors;
  if (!view) return mirrors;
  for (const JsonView& element : view->Elements(kMaxListLength)) {
    ConfigObject from(element);
    MirrorConfig mirror{ParseUrl(from.RequiredText("host"), from.where() + ".host"), ParseFields(from, "headers")};
    // A mirror that fails is left alone for a while; the policy is the same for all servers.
    for (const char* key : {"ping_url", "health_check_interval", "failure_limit"}) from.Ignore(key, ignored);
    from.Finish();
    if (!mirror.url.query().empty()) Throw(Errc::kInvalidArgument, "{}.host has a query", from.where());
    mirrors.push_back(std::move(mirror));
  }
  return mirrors;
}

RemoteConfig ParseRemote(ConfigObject& from, std::vector<std::string>& ignored) {
  RemoteConfig remote;
  remote.verify_tls = !from.Flag("skip_verify", false);
  for (std::string& path : from.Texts("ca_cert_files", kMaxListLength))
    remote.ca_files.push_back(AbsolutePath(std::move(path), from.where() + ".ca_cert_files"));
  remote.client_cert_file = OptionalPath(from, "client_cert_file");
  remote.client_key_file = OptionalPath(from, "client_key_file");
  if (remote.client_cert_file.empty() != remote.client_key_file.empty())
    Throw(Errc::kInvalidArgument, "{}: client_cert_file and client_key_file belong together", from.where());
  remote.connect_timeout = std::chrono::seconds(from.Number("connect_timeout", 5, 1, kMaxSeconds));
  remote.timeout = std::chrono::seconds(from.Number("timeout", 5, 1, kMaxSeconds));
  remote.retries = static_cast<unsigned>(from.Number("retry_limit", remote.retries, 0, kMaxRetries));
  remote.hedge = from.Flag("hedge", false);
  remote.proxy = ParseProxy(from.Find("proxy"), ignored);
  remote.mirrors = ParseMirrors(from.Find("mirrors"), ignored);
  return remote;
}

LocalDirectoriesConfig ParseLocalDirectories(ConfigObject& from) {
  LocalDirectoriesConfig config;
  config.blob_file = OptionalPath(from, "blob_file");
  if (std::string directory = OptionalPath(from, "dir"); !directory.empty())
    config.directories.push_back(std::move(directory));
  for (std::string& directory : from.Texts("alt_dirs", kMaxListLength))
    config.directories.push_back(AbsolutePath(std::move(directory), from.where() + ".alt_dirs"));
  if (config.blob_file.empty() == config.directories.empty())
    Throw(Errc::kInvalidArgument, "{} needs either blob_file or directories (dir, alt_dirs)", from.where());
  return config;
}

LocalDiskConfig ParseLocalDisk(ConfigObject& from) {
  LocalDiskConfig config;
  config.device = AbsolutePath(from.RequiredText("device_path"), from.where() + ".device_path");
  config.gpt = !from.Flag("disable_gpt", false);
  const auto blobs = from.Find("blobs");
  if (blobs.has_value() == config.gpt)
    Throw(Errc::kInvalidArgument, "{} needs either partitions or, with disable_gpt, blobs", from.where());
  if (!blobs) return config;
  blobs->RequireObject();
  if (blobs->json().size() > kMaxLocalDiskBlobs)
    Throw(Errc::kInvalidArgument, "{} has {} blobs, more than {}", blobs->where(), blobs->json().size(),
          kMaxLocalDiskBlobs);
  for (const auto& [id, value] : blobs->json().items()) {
    ConfigObject place(JsonView(value, blobs->where() + "." + id));
    const ByteRange range{place.Get("offset").Size(), place.Get("length").Size()};
    place.Finish();
    if (range.length > kMaxDeviceOffset - range.offset)
      Throw(Errc::kInvalidArgument, "{} ends beyond any device", place.where());
    config.blobs.emplace(BlobId::Parse(id), range);
  }
  return config;
}

HttpConfig ParseHttp(ConfigObject& from) {
  return HttpConfig{.prefix = ParseUrl(from.RequiredText("url"), from.where() + ".url"),
                    .unix_socket = OptionalPath(from, "unix_socket"),
                    .fields = ParseFields(from, "headers")};
}

// nydusd puts address, path and id together as text; one slash between them is meant.
HttpConfig ParseHttpProxy(ConfigObject& from) {
  const std::string address = from.RequiredText("addr");
  const std::string path = from.Text("path");
  const std::string joined = path.empty() || path.starts_with('/') ? path : "/" + path;
  if (address.starts_with('/')) {
    return HttpConfig{.prefix = ParseUrl("http://localhost" + joined, from.where() + ".path"),
                      .unix_socket = AbsolutePath(address, from.where() + ".addr"),
                      .one_blob = path.empty()};
  }
  const std::string base = address.ends_with('/') ? address.substr(0, address.size() - 1) : address;
  return HttpConfig{.prefix = ParseUrl(base + joined, from.where() + ".addr")};
}

std::string ParseBucket(ConfigObject& from, bool virtual_hosted) {
  std::string bucket = from.RequiredText("bucket_name");
  const char* const letters = virtual_hosted ? "abcdefghijklmnopqrstuvwxyz0123456789.-"
                                             : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (bucket.size() > 255 || bucket.find_first_not_of(letters) != std::string::npos || bucket.starts_with('.'))
    Throw(Errc::kInvalidArgument, "{}.bucket_name is no name of a bucket", from.where());
  return bucket;
}

// "." and ".." as a part of a key would be taken for steps of a path on the way.
std::string ParsePrefix(ConfigObject& from) {
  std::string prefix = from.Text("object_prefix");
  const std::string where = from.where() + ".object_prefix";
  RequirePlain(prefix, where);
  const std::string framed = "/" + prefix;
  if (prefix.size() > 512 || framed.find("/./") != std::string::npos || framed.find("/../") != std::string::npos)
    Throw(Errc::kInvalidArgument, "{} is no prefix of a key", where);
  return prefix;
}

ObjectCredentialsConfig ParseObjectCredentials(ConfigObject& from, bool from_file) {
  ObjectCredentialsConfig config{.anonymous = from.Flag("anonymous", false),
                                 .access_key_id = from.Text("access_key_id"),
                                 .access_key_secret = Secret(from.Text("access_key_secret")),
                                 .session_token = Secret(from.Text("session_token"))};
  if (from_file) {
    config.file = OptionalPath(from, "credentials_file");
    config.profile = from.Text("profile");
    config.instance_metadata = from.Flag("instance_metadata", false);
  }
  RequirePlain(config.access_key_id, from.where() + ".access_key_id");
  RequirePlain(config.session_token.Reveal(), from.where() + ".session_token");
  if (config.access_key_id.empty() != config.access_key_secret.empty())
    Throw(Errc::kInvalidArgument, "{}: access_key_id and access_key_secret belong together", from.where());
  const bool others = !config.access_key_id.empty() || !config.file.empty() || config.instance_metadata;
  if (config.anonymous && others) Throw(Errc::kInvalidArgument, "{} is anonymous and has credentials", from.where());
  return config;
}

// What an authorization's scope is made of.
std::string ParseRegion(ConfigObject& from) {
  std::string region = from.Text("region");
  if (region.size() > 64 || region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    Throw(Errc::kInvalidArgument, "{}.region is no name of a region", from.where());
  return region;
}

ObjectStoreConfig ParseS3(ConfigObject& from) {
  const std::string scheme = ParseScheme(from);
  const std::string region = ParseRegion(from);
  if (region.empty()) Throw(Errc::kInvalidArgument, "{}.region is missing", from.where());
  std::string endpoint = from.Text("endpoint");
  if (endpoint.empty()) endpoint = "s3." + region + ".amazonaws.com";
  const bool virtual_hosted = from.Flag("virtual_hosted", false);
  return ObjectStoreConfig{.endpoint = ParseServer(scheme, endpoint, from.where() + ".endpoint"),
                           .bucket = ParseBucket(from, virtual_hosted),
                           .virtual_hosted = virtual_hosted,
                           .region = region,
                           .prefix = ParsePrefix(from),
                           .signature = ObjectSignature::kAwsV4,
                           .credentials = ParseObjectCredentials(from, true)};
}

ObjectStoreConfig ParseOss(ConfigObject& from) {
  const std::string scheme = ParseScheme(from);
  const std::string region = ParseRegion(from);
  const std::string version = from.Text("signature");
  if (!version.empty() && version != "v1" && version != "v4")
    Throw(Errc::kInvalidArgument, "{}.signature is neither 'v1' nor 'v4'", from.where());
  if (version == "v4" && region.empty())
    Throw(Errc::kInvalidArgument, "{}.region is missing: signatures of version 4 name it", from.where());
  const bool v4 = version == "v4" || (version.empty() && !region.empty());
  const bool virtual_hosted = from.Flag("virtual_hosted", true);
  return ObjectStoreConfig{.endpoint = ParseServer(scheme, from.RequiredText("endpoint"), from.where() + ".endpoint"),
                           .bucket = ParseBucket(from, virtual_hosted),
                           .virtual_hosted = virtual_hosted,
                           .region = region,
                           .prefix = ParsePrefix(from),
                           .signature = v4 ? ObjectSignature::kOssV4 : ObjectSignature::kOssV1,
                           .credentials = ParseObjectCredentials(from, false)};
}

RegistryConfig ParseRegistry(ConfigObject& from) {
  const std::string scheme = ParseScheme(from);
  RegistryConfig config{.registry = ParseServer(scheme, from.RequiredText("host"), from.where() + ".host"),
                        .repository = from.RequiredText("repo"),
                        .token = Secret(from.Text("registry_token"))};
  // The grammar of the distribution specification, without its finer points: nothing that leaves the path.
  if (config.repository.size() > 255 ||
      config.repository.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-/") != std::string::npos ||
      ("/" + config.repository + "/").find("/.") != std::string::npos ||
      config.repository.find("//") != std::string::npos || config.repository.front() == '/' ||
      config.repository.back() == '/')
    Throw(Errc::kInvalidArgument, "{}.repo is no name of a repository", from.where());
  RequirePlain(config.token.Reveal(), from.where() + ".registry_token");
  if (const std::string auth = from.Text("auth"); !auth.empty()) {
    std::string pair;
    try {
      pair = DecodeBase64(auth);
    } catch (const Error&) {
      Throw(Errc::kInvalidArgument, "{}.auth is no base64", from.where());
    }
    const size_t colon = pair.find(':');
    if (colon == std::string::npos || colon == 0)
      Throw(Errc::kInvalidArgument, "{}.auth is not user:password in base64", from.where());
    config.user = pair.substr(0, colon);
    config.password = Secret(std::string_view(pair).substr(colon + 1));
  }
  config.blob_scheme = ParseScheme(from, "blob_url_scheme");
  config.blob_host = from.Text("blob_redirected_host");
  if (!config.blob_host.empty()) ParseServer("http", config.blob_host, from.where() + ".blob_redirected_host");
  return config;
}

BackendConfig Parse(const JsonView& root) {
  ConfigObject top(root);
  const std::string type = top.RequiredText("type");
  // "config" in nydusd's first format, the type's own name in its second one.
  const auto common = top.Find("config");
  const auto named = top.Find(type);
  if (common.has_value() == named.has_value())
    Throw(Errc::kInvalidArgument, "{} needs either 'config' or '{}'", top.where(), type);
  top.Finish();
  ConfigObject from(common ? *common : *named);
  BackendConfig config;
  if (type == "localfs") {
    config.place = ParseLocalDirectories(from);
  } else if (type == "localdisk") {
    config.place = ParseLocalDisk(from);
  } else if (type == "http") {
    config.place = ParseHttp(from);
  } else if (type == "http-proxy") {
    config.place = ParseHttpProxy(from);
  } else if (type == "s3") {
    config.place = ParseS3(from);
  } else if (type == "oss") {
    config.place = ParseOss(from);
  } else if (type == "registry") {
    config.place = ParseRegistry(from);
  } else {
    Throw(Errc::kInvalidArgument, "{}.type: unknown backend '{}'", top.where(), type);
  }
  if (type != "localfs" && type != "localdisk") config.remote = ParseRemote(from, config.ignored);
  // Its repository knows by itself when a proxy is down.
  if (type == "registry" && config.remote.proxy && config.remote.proxy->ping)
    config.ignored.push_back(from.where() + ".proxy.ping_url");
  from.Finish();
  return config;
}

}  // namespace

BackendConfig ParseBackendConfig(std::string_view text, std::string_view what) {
  if (text.size() > kMaxBackendConfigBytes)
    Throw(Errc::kInvalidArgument, "{} has {} bytes, more than {}", what, text.size(), kMaxBackendConfigBytes);
  const oci::Json document = ParseConfigText(text, what);
  try {
    return Parse(JsonView(document, std::string(what)));
  } catch (const Error& e) {
    // A JSON value of the wrong kind is corrupt to a parser of documents, but a mistake of a user here.
    if (e.code() == Errc::kCorrupt) throw Error(Errc::kInvalidArgument, e.message());
    throw;
  }
}

}  // namespace sluice::backend
