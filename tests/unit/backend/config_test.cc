// SPDX-License-Identifier: Apache-2.0
#include "backend/config.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace sluice::backend {
namespace {

const std::string kId(64, 'c');

template <typename T>
T Place(const std::string& text) {
  return std::get<T>(ParseBackendConfig(text, "test.json").place);
}

std::string ErrorOf(const std::string& text, Errc code = Errc::kInvalidArgument) {
  try {
    ParseBackendConfig(text, "test.json");
  } catch (const Error& e) {
    CHECK(e.code() == code);
    return e.message();
  }
  return "(taken)";
}

std::string S3(const std::string& more) {
  return R"({"type":"s3","config":{"region":"eu-1","bucket_name":"images")" + more + "}}";
}

}  // namespace

TEST_CASE("local places are configured") {
  const auto directories =
      Place<LocalDirectoriesConfig>(R"({"type":"localfs","config":{"dir":"/a","alt_dirs":["/b","/c"]}})");
  CHECK(directories.directories == std::vector<std::string>{"/a", "/b", "/c"});
  CHECK(Place<LocalDirectoriesConfig>(R"({"type":"localfs","localfs":{"blob_file":"/x/y"}})").blob_file == "/x/y");

  const auto partitions = Place<LocalDiskConfig>(R"({"type":"localdisk","config":{"device_path":"/dev/x"}})");
  CHECK(partitions.gpt);
  const auto offsets =
      Place<LocalDiskConfig>(R"({"type":"localdisk","config":{"device_path":"/dev/x","disable_gpt":true,
      "blobs":{")" + kId + R"(":{"offset":4096,"length":10}}}})");
  CHECK_FALSE(offsets.gpt);
  CHECK(offsets.blobs.at(BlobId::Parse(kId)) == ByteRange{4096, 10});
}

TEST_CASE("servers are configured in JSON and in TOML") {
  const char* const json = R"({"type":"s3","config":{"scheme":"http","endpoint":"127.0.0.1:9000","region":"eu-1",
      "bucket_name":"Images_1","object_prefix":"nydus/","access_key_id":"me","access_key_secret":"hush",
      "skip_verify":true,"ca_cert_files":["/ca.pem"],"timeout":7,"connect_timeout":3,"retry_limit":2,
      "proxy":{"url":"http://proxy:3128","ping_url":"http://proxy:3128/ping","fallback":false,"check_interval":5,
               "use_http":true,"check_pause_elapsed":300,"dragonfly_scheduler_endpoint":""},
      "mirrors":[{"host":"https://mirror/under","headers":{"X-Key":"v"},"ping_url":"","health_check_interval":5,
                  "failure_limit":5}]}})";
  const char* const toml = R"(type = "s3"
[s3]
scheme = "http"
endpoint = "127.0.0.1:9000"
region = "eu-1"
bucket_name = "Images_1"
object_prefix = "nydus/"
access_key_id = "me"
access_key_secret = "hush"
skip_verify = true
ca_cert_files = ["/ca.pem"]
timeout = 7
connect_timeout = 3
retry_limit = 2
[s3.proxy]
url = "http://proxy:3128"
ping_url = "http://proxy:3128/ping"
fallback = false
use_http = true
[[s3.mirrors]]
host = "https://mirror/under"
headers = { X-Key = "v" }
)";
  for (const std::string text : {json, toml}) {
    INFO(text);
    const BackendConfig config = ParseBackendConfig(text, "test");
    const auto& store = std::get<ObjectStoreConfig>(config.place);
    CHECK(store.endpoint.ToString() == "http://127.0.0.1:9000/");
    CHECK(store.bucket == "Images_1");
    CHECK_FALSE(store.virtual_hosted);
    CHECK(store.region == "eu-1");
    CHECK(store.prefix == "nydus/");
    CHECK(store.signature == ObjectSignature::kAwsV4);
    CHECK(store.credentials.access_key_id == "me");
    CHECK(store.credentials.access_key_secret.Reveal() == "hush");
    CHECK_FALSE(config.remote.verify_tls);
    CHECK(config.remote.ca_files == std::vector<std::string>{"/ca.pem"});
    CHECK(config.remote.timeout == std::chrono::seconds(7));
    CHECK(config.remote.connect_timeout == std::chrono::seconds(3));
    CHECK(config.remote.retries == 2);
    REQUIRE(config.remote.proxy);
    CHECK(config.remote.proxy->proxy.url.origin().ToString() == "http://proxy:3128");
    CHECK(config.remote.proxy->ping->ToString() == "http://proxy:3128/ping");
    CHECK_FALSE(config.remote.proxy->fallback);
    CHECK(config.remote.proxy->use_http);
    REQUIRE(config.remote.mirrors.size() == 1);
    CHECK(config.remote.mirrors[0].url.ToString() == "https://mirror/under");
    REQUIRE(config.remote.mirrors[0].fields.size() == 1);
    CHECK(config.remote.mirrors[0].fields[0].secret);
  }
}

TEST_CASE("what is left out has a default") {
  const BackendConfig config = ParseBackendConfig(S3(""), "test");
  const auto& store = std::get<ObjectStoreConfig>(config.place);
  CHECK(store.endpoint.ToString() == "https://s3.eu-1.amazonaws.com/");
  CHECK(store.credentials.access_key_id.empty());
  CHECK_FALSE(store.credentials.instance_metadata);
  CHECK(config.remote.verify_tls);
  CHECK(config.remote.retries == 3);
  CHECK_FALSE(config.remote.proxy);
  CHECK_FALSE(config.remote.hedge);
  // An empty proxy is how nydusd's files say "none".
  CHECK_FALSE(ParseBackendConfig(S3(R"(,"proxy":{"url":""})"), "test").remote.proxy);

  const std::string oss = R"({"type":"oss","config":{"endpoint":"oss-cn-hangzhou.aliyuncs.com","bucket_name":"b")";
  const auto v1 = Place<ObjectStoreConfig>(oss + "}}");
  CHECK(v1.virtual_hosted);
  CHECK(v1.signature == ObjectSignature::kOssV1);
  CHECK(Place<ObjectStoreConfig>(oss + R"(,"region":"cn-hangzhou"}})").signature == ObjectSignature::kOssV4);
  CHECK(Place<ObjectStoreConfig>(oss + R"(,"region":"cn-hangzhou","signature":"v1"}})").signature ==
        ObjectSignature::kOssV1);
}

TEST_CASE("HTTP servers are configured by URL, and by address and path") {
  CHECK(Place<HttpConfig>(R"({"type":"http","config":{"url":"https://h/a/b"}})").prefix.ToString() == "https://h/a/b");
  const auto prefix_of = [](const std::string& address, const std::string& path) {
    return Place<HttpConfig>(R"({"type":"http-proxy","config":{"addr":")" + address + R"(","path":")" + path +
                             R"("}})");
  };
  CHECK(prefix_of("http://h:81", "/ns/blobs").prefix.ToString() == "http://h:81/ns/blobs");
  CHECK(prefix_of("http://h:81/", "ns").prefix.ToString() == "http://h:81/ns");
  const HttpConfig socket = prefix_of("/run/x.sock", "/ns");
  CHECK(socket.unix_socket == "/run/x.sock");
  CHECK(socket.prefix.path() == "/ns");
  CHECK_FALSE(socket.one_blob);
  CHECK(prefix_of("/run/x.sock", "").one_blob);
}

TEST_CASE("registries are configured as nydusd's are") {
  const auto config = Place<RegistryConfig>(R"({"type":"registry","config":{"scheme":"http","host":"reg:5000",
      "repo":"library/ubuntu","auth":"bWU6c2VjOnJldA==","blob_url_scheme":"https","blob_redirected_host":"cdn"}})");
  CHECK(config.registry.ToString() == "http://reg:5000/");
  CHECK(config.repository == "library/ubuntu");
  CHECK(config.user == "me");
  CHECK(config.password.Reveal() == "sec:ret");
  CHECK(config.blob_scheme == "https");
  CHECK(config.blob_host == "cdn");
  const std::string plain = R"({"type":"registry","config":{"host":"reg:5000","repo":"r")";
  CHECK(Place<RegistryConfig>(plain + "}}").blob_host.empty());
  CHECK(Place<RegistryConfig>(plain + R"(,"registry_token":"t"}})").token.Reveal() == "t");
}

TEST_CASE("a configuration that is not understood to the last key is refused, and the key is named") {
  const std::pair<std::string, std::string> cases[] = {
      {"", "type"},
      {"{", "JSON"},
      {"type = ", "line 1"},
      {R"({"type":"ftp","config":{}})", "ftp"},
      {R"({"type":"localfs"})", "config"},
      {R"({"type":"localfs","config":{"dir":"/a"},"localfs":{"dir":"/a"}})", "config"},
      {R"({"type":"localfs","config":{"dir":"/a"},"id":"x"})", "id"},
      {R"({"type":"localfs","config":{"dir":"/a","alt_dir":[]}})", "alt_dir"},
      {R"({"type":"localfs","config":{"dir":"a"}})", "dir"},
      {R"({"type":"localfs","config":{"dir":"/a","dir":"/b"}})", "dir"},
      {R"({"type":"localfs","config":{}})", "blob_file"},
      {R"({"type":"localfs","config":{"dir":"/a","timeout":5}})", "timeout"},
      {R"({"type":"localdisk","config":{"device_path":"/d","disable_gpt":true}})", "blobs"},
      {R"({"type":"localdisk","config":{"device_path":"/d","blobs":{}}})", "blobs"},
      {R"({"type":"localdisk","config":{"device_path":"/d","disable_gpt":true,"blobs":{")" + kId +
           R"(":{"offset":9223372036854775807,"length":1}}}})",
       "beyond"},
      {R"({"type":"http","config":{"url":"ftp://x"}})", "url"},
      {R"({"type":"http","config":{"url":"http://x","headers":{"a b":"c"}}})", "headers"},
      {R"({"type":"http","config":{"url":"http://x","headers":{"a":"b\r\nc: d"}}})", "headers.a"},
      {R"({"type":"registry","config":{"host":"h","repo":"../x"}})", "repo"},
      {R"({"type":"registry","config":{"host":"h","repo":"a//x"}})", "repo"},
      {R"({"type":"registry","config":{"host":"h/p","repo":"x"}})", "host"},
      {R"({"type":"registry","config":{"host":"h","repo":"x","blob_redirected_host":"a/b"}})", "blob_redirected_host"},
      {R"({"type":"registry","config":{"host":"h","repo":"x","auth":"bm9jb2xvbg=="}})", "auth"},
      {R"({"type":"s3","config":{"bucket_name":"b"}})", "region"},
      {S3(R"(,"timeout":0)"), "timeout"},
      {S3(R"(,"timeout":-1)"), "timeout"},
      {S3(R"(,"timeout":"5")"), "timeout"},
      {S3(R"(,"scheme":"ftp")"), "scheme"},
      {S3(R"(,"scheme":"http","endpoint":"https://h")"), "endpoint"},
      {S3(R"(,"object_prefix":"a/../b")"), "object_prefix"},
      {S3(R"(,"object_prefix":"a\u0000b")"), "object_prefix"},
      {S3(R"(,"access_key_id":"me")"), "access_key_secret"},
      {S3(R"(,"anonymous":true,"access_key_id":"me","access_key_secret":"x")"), "anonymous"},
      {S3(R"(,"ca_cert_files":["ca.pem"])"), "ca_cert_files"},
      {S3(R"(,"client_cert_file":"/c")"), "client_key_file"},
      {S3(R"(,"proxy":{"url":"http://p","pong_url":""})"), "pong_url"},
      {S3(R"(,"mirrors":[{"host":"mirror"}])"), "mirrors[0].host"},
      {S3(R"(,"mirrors":[{}])"), "mirrors[0].host"},
      {R"({"type":"s3","config":{"region":"eu-1","bucket_name":"a/b"}})", "bucket_name"},
      {R"({"type":"s3","config":{"region":"eu-1","bucket_name":"A","virtual_hosted":true}})", "bucket_name"},
      {R"({"type":"oss","config":{"endpoint":"h","bucket_name":"b","signature":"v4"}})", "region"},
      {R"({"type":"oss","config":{"endpoint":"h","bucket_name":"b","profile":"x"}})", "profile"},
      {std::string(kMaxBackendConfigBytes + 1, ' '), "bytes"},
  };
  for (const auto& [text, named] : cases) {
    INFO(text.substr(0, 200));
    const std::string message = ErrorOf(text);
    CHECK_THAT(message, Catch::StartsWith("test.json"));
    CHECK_THAT(message, Catch::Contains(named));
  }
  CHECK_THAT(ErrorOf(S3(R"(,"proxy":{"url":"http://p","dragonfly_scheduler_endpoint":"s"})"), Errc::kUnsupported),
             Catch::Contains("dragonfly_scheduler_endpoint"));
}

TEST_CASE("keys that are taken and change nothing are told") {
  const auto ignored = [](const std::string& text) {
    std::string names;
    for (const std::string& name : ParseBackendConfig(text, "f").ignored) names += name + " ";
    return names;
  };
  const std::string proxy = R"({"url":"http://p","ping_url":"http://p/ping","check_interval":5})";
  CHECK(ignored(S3("")).empty());
  CHECK(ignored(S3(R"(,"mirrors":[{"host":"http://m","failure_limit":3}],"proxy":)" + proxy)) ==
        "f.config.proxy.check_interval f.config.mirrors[0].failure_limit ");
  CHECK(ignored(R"({"type":"registry","config":{"host":"h","repo":"r","proxy":)" + proxy + "}}") ==
        "f.config.proxy.check_interval f.config.proxy.ping_url ");
}

TEST_CASE("no message about a configuration holds what stands in it") {
  const std::string secret = "TOPSECRET";
  const std::string cases[] = {
      R"({"type":"s3","config":{"access_key_secret":"TOPSECRET" "x"}})",
      R"({"type":"s3","config":{"access_key_secret":"TOPSECRET)",
      "type = \"s3\"\n[s3]\naccess_key_secret = TOPSECRET\n",
      S3(R"(,"access_key_secret":"TOPSECRET")"),
      S3(R"(,"access_key_id":"x\n","access_key_secret":"TOPSECRET")"),
      S3(R"(,"access_key_secret":["TOPSECRET"])"),
      S3(R"(,"session_token":"TOPSECRET\n")"),
      S3(R"(,"proxy":{"url":"ftp://u:TOPSECRET@p"})"),
      S3(R"(,"proxy":{"url":"http://u:TOPSECRET@p:x"})"),
      S3(R"(,"endpoint":"u:TOPSECRET@h")"),
      S3(R"(,"mirrors":[{"host":"http://u:TOPSECRET@h"}])"),
      R"({"type":"http","config":{"url":"http://u:TOPSECRET@h"}})",
      R"({"type":"http","config":{"url":"http://h","headers":{"Authorization":"TOPSECRET\n"}}})",
      R"({"type":"registry","config":{"host":"h","repo":"r","auth":"TOPSECRET"}})",
  };
  for (const std::string& text : cases) {
    INFO(text);
    const std::string message = ErrorOf(text);
    CHECK(message != "(taken)");
    CHECK(message.find(secret) == std::string::npos);
  }
}

}  // namespace sluice::backend
