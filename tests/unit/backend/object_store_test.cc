// SPDX-License-Identifier: Apache-2.0
// How requests to object stores are addressed and where their keys come from.

#include "backend/object_store.h"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "backend/factory.h"
#include "backend/object_place.h"
#include "base/error.h"
#include "runtime/file.h"
#include "store_shard.h"

namespace sluice::backend {
namespace {

using http::ClientRequest;
using runtime::Task;
using test::RunOnEngines;
using test::ScriptedAnswer;
using test::TestEnv;

const BlobId kId = BlobId::Parse(std::string(64, 'd'));

std::string S3(const std::string& more) {
  return R"({"type":"s3","config":{"endpoint":"store:9000","scheme":"http","region":"eu-1","bucket_name":"b",
             "object_prefix":"p q/","retry_limit":0)" +
         more + "}}";
}
const std::string kKeys = R"(,"access_key_id":"me","access_key_secret":"HUSH")";

Task<void> Write(TestEnv& env, std::string path, std::string text) {
  runtime::File file = co_await runtime::File::Open(env.engine(), std::move(path), O_RDWR | O_CREAT | O_TRUNC);
  co_await file.WriteAll(AsBytes(text), 0);
}

// Reads a byte; "" or what the error says.
Task<std::string> ReadByte(StoreShard& shard, std::string config) {
  const auto backend = co_await MakeBackend(shard.services(), ParseBackendConfig(config, "test"));
  const auto source = backend->Open(kId);
  std::vector<std::byte> byte(1);
  try {
    co_await source->ReadAt(0, byte);
  } catch (const Error& e) {
    co_return std::string(Name(e.code())) + ": " + e.message();
  }
  co_return "";
}

// Who signed, as the Authorization field says.
std::string SignerOf(const ClientRequest& request) {
  const std::string text = FieldOf(request, "authorization");
  const size_t at = text.find("Credential=");
  return at == std::string::npos ? text : text.substr(at + 11, text.find('/', at) - at - 11);
}

}  // namespace

TEST_CASE("objects are addressed in the path or by the host, and prefixes encoded") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) { return GiveRange(request, "x"); });
    const auto& requests = shard.transport.requests();
    const std::string in_path = co_await ReadByte(shard, S3(kKeys));
    CHECK(in_path.empty());
    CHECK(requests.back().url.ToString() == "http://store:9000/b/p%20q/" + kId.hex());
    const std::string by_host = co_await ReadByte(shard, S3(kKeys + R"(,"virtual_hosted":true)"));
    CHECK(by_host.empty());
    CHECK(requests.back().url.ToString() == "http://b.store:9000/p%20q/" + kId.hex());
    for (const http::Field& field : requests.back().fields) {
      INFO(field.name);
      const bool signs = field.name == "authorization" || field.name.starts_with("x-amz-");
      CHECK(field.secret == signs);
      CHECK(field.value.find("HUSH") == std::string::npos);
    }
  });
}

TEST_CASE("a mirror of an object store gets no signature") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) { return GiveRange(request, "x"); });
    co_await ReadByte(shard, S3(kKeys + R"(,"mirrors":[{"host":"http://mirror"}])"));
    const ClientRequest& request = shard.transport.requests().back();
    CHECK(request.url.ToString() == "http://mirror/b/p%20q/" + kId.hex());
    CHECK(FieldOf(request, "authorization").empty());
  });
}

TEST_CASE("keys are taken from configuration, environment, file and instance, in this order") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      if (request.method == "PUT") return GiveStatus(200, "the-token");
      if (request.url.path() == "/latest/meta-data/iam/security-credentials/") return GiveStatus(200, "role\nother");
      if (request.url.path() == "/latest/meta-data/iam/security-credentials/role") {
        CHECK(FieldOf(request, "X-aws-ec2-metadata-token") == "the-token");
        return GiveStatus(200, R"({"Code":"Success","AccessKeyId":"instance","SecretAccessKey":"s","Token":"t",
                                   "Expiration":"2033-05-18T03:33:20Z"})");
      }
      return GiveRange(request, "x");
    });
    co_await MakeDirectory(env.engine(), env.Path(".aws"));
    co_await Write(env, env.Path(".aws/credentials"),
                   "[default]\naws_access_key_id = file\naws_secret_access_key = s\n"
                   "[p2]\naws_access_key_id = file2\naws_secret_access_key = s\n");
    const auto& requests = shard.transport.requests();
    const std::string instance = R"(,"instance_metadata":true)";

    const std::string nothing = co_await ReadByte(shard, S3(""));
    CHECK_THAT(nothing, Catch::StartsWith("not-found") && Catch::Contains("AWS_ACCESS_KEY_ID"));
    CHECK(requests.empty());
    co_await ReadByte(shard, S3(instance));
    CHECK(SignerOf(requests.back()) == "instance");
    CHECK(FieldOf(requests.back(), "x-amz-security-token") == "t");
    CHECK(requests[0].url.origin().ToString() == "http://169.254.169.254");
    shard.environment["HOME"] = env.directory();
    co_await ReadByte(shard, S3(instance));
    CHECK(SignerOf(requests.back()) == "file");
    shard.environment["AWS_ACCESS_KEY_ID"] = "environment";
    shard.environment["AWS_SECRET_ACCESS_KEY"] = "s";
    shard.environment["AWS_SESSION_TOKEN"] = "session";
    co_await ReadByte(shard, S3(instance));
    CHECK(SignerOf(requests.back()) == "environment");
    CHECK(FieldOf(requests.back(), "x-amz-security-token") == "session");
    co_await ReadByte(shard, S3(R"(,"profile":"p2")"));
    CHECK(SignerOf(requests.back()) == "file2");
    co_await ReadByte(shard, S3(kKeys));
    CHECK(SignerOf(requests.back()) == "me");
    CHECK(FieldOf(requests.back(), "x-amz-security-token").empty());
    co_await ReadByte(shard, S3(R"(,"anonymous":true)"));
    CHECK(FieldOf(requests.back(), "authorization").empty());
  });
}

TEST_CASE("keys of an instance are used until shortly before they expire") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      if (request.method == "PUT" || request.url.path().ends_with("/")) return GiveStatus(200, "text");
      if (request.url.path().ends_with("/text")) {
        return GiveStatus(
            200, R"({"AccessKeyId":"i","SecretAccessKey":"s","Token":"t","Expiration":"2023-11-14T23:13:20Z"})");
      }
      return GiveRange(request, "x");
    });
    const auto config = ParseBackendConfig(S3(R"(,"instance_metadata":true)"), "test");
    const auto backend = co_await MakeBackend(shard.services(), config);
    const auto source = backend->Open(kId);
    std::vector<std::byte> byte(1);
    co_await source->ReadAt(0, byte);
    const size_t first = shard.transport.requests().size();
    CHECK(first == 4);
    shard.clock.now += std::chrono::minutes(54);  // of 60
    co_await source->ReadAt(0, byte);
    CHECK(shard.transport.requests().size() == first + 1);
    shard.clock.now += std::chrono::minutes(2);
    co_await source->ReadAt(0, byte);
    CHECK(shard.transport.requests().size() == first + 5);
  });
}

TEST_CASE("keys that a store refuses are read from their file once more") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    std::string good = "old";
    StoreShard shard(env, [&](const ClientRequest& request) {
      if (SignerOf(request) != good) return GiveStatus(403, "<Error><Code>InvalidAccessKeyId</Code></Error>");
      return GiveRange(request, "x");
    });
    const std::string path = env.Path("keys");
    const auto keys = [](const std::string& id) {
      return "[default]\naws_access_key_id=" + id + "\naws_secret_access_key=s\n";
    };
    co_await Write(env, path, keys("old"));
    const auto config = ParseBackendConfig(S3(R"(,"credentials_file":")" + path + "\""), "test");
    const auto backend = co_await MakeBackend(shard.services(), config);
    const auto source = backend->Open(kId);
    std::vector<std::byte> byte(1);
    co_await source->ReadAt(0, byte);
    good = "new";
    co_await Write(env, path, keys("new"));
    co_await source->ReadAt(0, byte);
    CHECK(shard.transport.requests().size() == 3);
    good = "other";
    std::string message;
    try {
      co_await source->ReadAt(0, byte);
    } catch (const Error& e) {
      message = e.message();
    }
    CHECK_THAT(message, Catch::EndsWith("answered with status 403 (InvalidAccessKeyId)"));
    CHECK(shard.transport.requests().size() == 5);
  });
}

TEST_CASE("of what a store says only a word gets into the message") {
  const std::string bodies[] = {"",
                                "<Code>",
                                "<Code>two words</Code>",
                                "<Code>" + std::string(65, 'a') + "</Code>",
                                "<Code><b>x</b></Code>",
                                "<Code>a&amp;b</Code>",
                                std::string(100'000, 'x')};
  for (const std::string& body : bodies) {
    INFO(body.substr(0, 100));
    test::RunOnSimulator(
        [&](TestEnv& env) -> Task<void> {
          StoreShard shard(env, [&](const ClientRequest&) { return GiveStatus(403, body); });
          const std::string message = co_await ReadByte(shard, S3(kKeys));
          CHECK_THAT(message, Catch::EndsWith("answered with status 403"));
        },
        1);
  }
}

TEST_CASE("credentials files are read profile by profile") {
  const std::string text =
      "# comment\n; another\n\n[default]\naws_access_key_id = A\r\naws_secret_access_key\t=\tB=C\n"
      "region = x\ns3 =\n  addressing_style = path\n[ other ]\naws_access_key_id=D\n"
      "aws_secret_access_key=E\naws_session_token=F";
  const auto first = ParseCredentialsFile(text, "default", "file");
  REQUIRE(first);
  CHECK(first->id == "A");
  CHECK(first->secret.Reveal() == "B=C");
  CHECK(first->session_token.empty());
  const auto other = ParseCredentialsFile(text, "other", "file");
  REQUIRE(other);
  CHECK(other->session_token.Reveal() == "F");
  CHECK_FALSE(ParseCredentialsFile(text, "third", "file"));
  CHECK_FALSE(ParseCredentialsFile("[default]\nregion=x\n", "default", "file"));
}

TEST_CASE("a credentials file that is none is refused, and not quoted") {
  for (const std::string text : {"[default\n", "TOPSECRET\n", "[default]\naws_secret_access_key=TOPSECRET\n"}) {
    INFO(text);
    try {
      ParseCredentialsFile(text, "default", "file");
      FAIL("taken");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
      CHECK_THAT(e.message(), Catch::StartsWith("file") && !Catch::Contains("TOPSECRET"));
    }
  }
}

TEST_CASE("keys of instances are understood to their last second") {
  const std::string good =
      R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"B","Token":"C","Expiration":"2024-02-29T23:59:59Z"})";
  const TemporaryKey key = ParseInstanceKey(good);
  CHECK(key.key == AccessKey{"A", Secret("B"), Secret("C")});
  CHECK(key.expires == WallTime(std::chrono::seconds(1'709'251'199)));
  for (const std::string time : {"", "2023-02-29T23:59:59Z", "2024-02-29T24:00:00Z", "2024-02-29 23:59:59Z",
                                 "2024-02-29T23:59:59", "2024-2-29T23:59:59Z", "2024-02-29T23:59:59Z ", "x"}) {
    INFO(time);
    std::string bad = good;
    bad.replace(bad.find("2024"), 20, time);
    CHECK_THROWS_AS(ParseInstanceKey(bad), Error);
  }
  for (const std::string bad : {"", "[]", R"({"Code":"Failed"})", R"({"AccessKeyId":1})"})
    CHECK_THROWS_AS(ParseInstanceKey(bad), Error);
}

TEST_CASE("stores on a command line get the rest from the environment") {
  std::map<std::string, std::string, std::less<>> variables{{"AWS_REGION", "eu-1"}, {"OSS_ENDPOINT", "oss.example"}};
  const auto parse = [&](std::string_view text) {
    const BackendConfig config = ParseObjectPlace(text, [&](const char* name) -> const char* {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
    return std::get<ObjectStoreConfig>(config.place);
  };
  ObjectStoreConfig store = parse("s3://bucket/a/b");
  CHECK(store.bucket == "bucket");
  CHECK(store.prefix == "a/b/");
  CHECK(store.region == "eu-1");
  CHECK(store.endpoint.ToString() == "https://s3.eu-1.amazonaws.com/");
  variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1";
  CHECK(parse("s3://bucket").endpoint.ToString() == "http://127.0.0.1:1/");
  CHECK(parse("s3://bucket").prefix.empty());
  variables["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:2";
  CHECK(parse("s3://bucket/").endpoint.ToString() == "http://127.0.0.1:2/");
  store = parse("oss://bucket/x/");
  CHECK(store.prefix == "x/");
  CHECK(store.signature == ObjectSignature::kOssV1);
  variables["OSS_REGION"] = "cn-hangzhou";
  CHECK(parse("oss://bucket").signature == ObjectSignature::kOssV4);
  for (const std::string bad : {"bucket", "http://bucket", "s3://", "s3://a b/c", "s3://bucket/../x"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse(bad), Error);
  }
  variables.erase("AWS_REGION");
  CHECK_THROWS_WITH(parse("s3://bucket"), Catch::Contains("region"));
}

}  // namespace sluice::backend
