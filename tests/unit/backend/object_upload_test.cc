// SPDX-License-Identifier: Apache-2.0
#include "backend/object_upload.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "backend/factory.h"
#include "base/digest.h"
#include "base/error.h"
#include "runtime/combine.h"
#include "store_shard.h"

namespace sluice::backend {
namespace {

using http::ClientRequest;
using runtime::Task;
using test::RunOnEngines;
using test::ScriptedAnswer;
using test::TestEnv;

std::string Sha256(std::string_view text) { return DigestOf(DigestAlgorithm::kSha256, AsBytes(text)).Hex(); }

// A bucket in memory: takes whole objects and parts, and checks the digest of each body.
class Bucket final : public http::Transport {
 public:
  explicit Bucket(TestEnv& env)
      : transport_([this](const ClientRequest& request) { return Answer(request); }), env_(env) {}

  Task<std::unique_ptr<http::Exchange>> Send(ClientRequest request) override {
    if (request.upload != nullptr) {
      std::vector<std::byte> piece(100);
      while (request.body.size() < request.upload->size()) {
        const size_t got = co_await request.upload->ReadSome(piece);
        if (got == 0) break;
        request.body += AsText(ConstBytes(piece).first(got));
      }
    }
    co_return co_await transport_.Send(std::move(request));
  }

  std::map<std::string, std::string> objects;  // by path
  std::map<std::string, std::map<unsigned, std::string>> uploads;
  std::vector<std::string> log;  // "METHOD query"
  // Asked before an answer is made; nothing: go on.
  std::function<std::optional<ScriptedAnswer>(const ClientRequest&)> disturb;

 private:
  static std::string Parameter(const ClientRequest& request, const std::string& name) {
    const std::string query = "&" + request.url.query() + "&";
    const size_t at = query.find("&" + name + "=");
    if (at == std::string::npos) return {};
    const size_t start = at + name.size() + 2;
    return query.substr(start, query.find('&', start) - start);
  }

  ScriptedAnswer Answer(const ClientRequest& request) {
    log.push_back(request.method + " " + request.url.query());
    const std::string& path = request.url.path();
    const std::string id = Parameter(request, "uploadId");
    if (request.method != "HEAD" && request.method != "DELETE")
      CHECK(FieldOf(request, "x-amz-content-sha256") == Sha256(request.body));
    if (disturb) {
      if (const auto answer = disturb(request)) return *answer;
    }
    ScriptedAnswer answer;
    if (request.method == "HEAD") {
      const auto found = objects.find(path);
      if (found == objects.end()) return GiveStatus(404);
      answer.head.fields = {{.name = "Content-Length", .value = std::to_string(found->second.size())}};
    } else if (request.url.query() == "uploads") {
      uploads["id&1"];
      answer.body = "<InitiateMultipartUploadResult><UploadId>id&amp;1</UploadId></InitiateMultipartUploadResult>";
    } else if (request.method == "PUT" && id.empty()) {
      objects[path] = request.body;
    } else if (request.method == "PUT") {
      CHECK(id == "id%261");
      uploads.at("id&1")[static_cast<unsigned>(std::stoul(Parameter(request, "partNumber")))] = request.body;
      answer.head.fields = {{.name = "ETag", .value = "\"" + Sha256(request.body) + "\""}};
    } else if (request.method == "DELETE") {
      uploads.erase("id&1");
      answer = GiveStatus(204);
    } else {
      if (!uploads.contains("id&1")) return GiveStatus(404);
      std::string whole;
      for (const auto& [number, part] : uploads.at("id&1")) {
        CHECK(request.body.find(fmt::format("<PartNumber>{}</PartNumber><ETag>&quot;{}&quot;</ETag>", number,
                                            Sha256(part))) != std::string::npos);
        whole += part;
      }
      objects[path] = whole;
      uploads.erase("id&1");
      answer.body = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
    }
    return answer;
  }

  test::ScriptedTransport transport_;
  TestEnv& env_;
};

struct Fixture {
  explicit Fixture(TestEnv& test_env)
      : env(test_env), bucket(test_env), shard(test_env, [](const ClientRequest&) { return GiveStatus(500); }) {}

  // Puts `content`; small parts, so that little is much.
  Task<bool> Put(std::string content) {
    const std::string path = env.Path("content");
    runtime::File file = co_await runtime::File::Open(env.engine(), path, O_RDWR | O_CREAT | O_TRUNC);
    co_await file.WriteAll(AsBytes(content), 0);
    Services services{env.engine(), bucket,      shard.services().offload,    shard.services().health,
                      env.rng(),    shard.clock, shard.services().environment};
    auto config = ParseBackendConfig(R"({"type":"s3","config":{"region":"eu-1","bucket_name":"b","endpoint":"store",
        "access_key_id":"me","access_key_secret":"s"}})",
                                     "test");
    auto store = std::make_unique<ObjectStore>(services, std::get<ObjectStoreConfig>(config.place), RequestOptions{});
    const UploadLimits limits{.part_bytes = 1 * kMiB, .most_parts = 3, .parts_at_once = 2};
    ObjectUploader uploader(services, std::move(store), {.tries = 3}, limits);
    co_return co_await uploader.Put("name", file, content.size());
  }

  TestEnv& env;
  Bucket bucket;
  StoreShard shard;
};

std::string Content(size_t size) {
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 % 251);
  return content;
}

Task<std::string> ErrorOfPut(Fixture& fixture, std::string content) {
  try {
    co_await fixture.Put(std::move(content));
  } catch (const Error& e) {
    co_return std::string(Name(e.code())) + ": " + e.message();
  }
  co_return "(none)";
}

}  // namespace

TEST_CASE("small files are put in one go, and only when they are not there") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Fixture fixture(env);
    const bool put = co_await fixture.Put("hello");
    CHECK(put);
    CHECK(fixture.bucket.objects.at("/b/name") == "hello");
    CHECK(fixture.bucket.log == std::vector<std::string>{"HEAD ", "PUT ", "HEAD "});
    fixture.bucket.log.clear();
    const bool again = co_await fixture.Put("hello");
    CHECK_FALSE(again);
    CHECK(fixture.bucket.log == std::vector<std::string>{"HEAD "});
    // Half of an upload by somebody else is no reason to trust it.
    fixture.bucket.objects["/b/name"] = "hel";
    const bool repaired = co_await fixture.Put("hello");
    CHECK(repaired);
    CHECK(fixture.bucket.objects.at("/b/name") == "hello");
    const bool empty = co_await fixture.Put("");
    CHECK(empty);
    CHECK(fixture.bucket.objects.at("/b/name").empty());
  });
}

TEST_CASE("large files are put in parts, no more than a store takes") {
  const std::pair<size_t, size_t> cases[] = {
      {1 * kMiB, 0}, {1 * kMiB + 1, 2}, {3 * kMiB, 3}, {3 * kMiB + 1, 2}, {7 * kMiB, 3}};
  for (const auto& [bytes, wanted_parts] : cases) {
    INFO(bytes);
    RunOnEngines(
        [size = bytes, wanted = wanted_parts](TestEnv& env) -> Task<void> {
          Fixture fixture(env);
          size_t parts = 0;
          fixture.bucket.disturb = [&](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
            if (request.url.query().find("partNumber") != std::string::npos) ++parts;
            return std::nullopt;
          };
          const std::string content = Content(size);
          co_await fixture.Put(content);
          const bool equal = fixture.bucket.objects.at("/b/name") == content;
          CHECK(equal);
          CHECK(parts == wanted);
          CHECK(fixture.bucket.uploads.empty());
        },
        1);
  }
}

TEST_CASE("requests that fail for a while are sent again, with their whole body") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Fixture fixture(env);
        std::set<std::string> seen;
        fixture.bucket.disturb = [&](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          // The first of each kind.
          if (seen.insert(request.method + request.url.query()).second) return GiveStatus(503);
          return std::nullopt;
        };
        const std::string content = Content(2 * kMiB + 5);
        co_await fixture.Put(content);
        const bool equal = fixture.bucket.objects.at("/b/name") == content;
        CHECK(equal);
      },
      2);
}

TEST_CASE("an upload that fails leaves no parts behind, also when it is stopped") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Fixture fixture(env);
        fixture.bucket.disturb = [](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          if (request.url.query().find("partNumber=2") != std::string::npos)
            return GiveStatus(403, "<Code>Denied</Code>");
          return std::nullopt;
        };
        const std::string message = co_await ErrorOfPut(fixture, Content(3 * kMiB));
        CHECK_THAT(message, Catch::StartsWith("permission: ") && Catch::Contains("/b/name") &&
                                Catch::Contains("(Denied)") && !Catch::Contains("uploadId"));
        CHECK(fixture.bucket.uploads.empty());
        CHECK(fixture.bucket.objects.empty());

        fixture.bucket.disturb = [](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          if (request.url.query().find("partNumber=2") == std::string::npos) return std::nullopt;
          ScriptedAnswer slow;
          slow.delay = std::chrono::hours(1);
          return slow;
        };
        const Errc stopped = co_await test::ErrorOf([](Fixture& f) -> Task<void> {
          co_await runtime::WithTimeout(f.env.engine(), std::chrono::milliseconds(200), f.Put(Content(3 * kMiB)));
        }(fixture));
        CHECK(stopped == Errc::kTimeout);
        CHECK(fixture.bucket.uploads.empty());
      },
      2);
}

TEST_CASE("a store that says yes and means no is found out") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Fixture fixture(env);
        // Parts that are not put together, with status 200.
        fixture.bucket.disturb = [](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          const bool complete = request.method == "POST" && request.url.query() != "uploads";
          if (complete) return GiveStatus(200, "<Error><Code>InternalError</Code></Error>");
          return std::nullopt;
        };
        const std::string not_joined = co_await ErrorOfPut(fixture, Content(2 * kMiB));
        CHECK_THAT(not_joined, Catch::StartsWith("io: ") && Catch::Contains("InternalError"));
        CHECK(fixture.bucket.uploads.empty());
        // A whole object that is dropped.
        fixture.bucket.disturb = [](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          if (request.method == "PUT") return GiveStatus(200);
          return std::nullopt;
        };
        const std::string dropped = co_await ErrorOfPut(fixture, "hello");
        CHECK_THAT(dropped, Catch::StartsWith("io: ") && Catch::Contains("5 bytes") && Catch::Contains("none"));
      },
      2);
}

TEST_CASE("an answer that was lost on its way is no failure") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Fixture fixture(env);
        bool lost = false;
        fixture.bucket.disturb = [&](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          const bool complete = request.method == "POST" && request.url.query() != "uploads";
          if (!complete || lost) return std::nullopt;
          lost = true;
          std::string whole;
          for (const auto& [number, part] : fixture.bucket.uploads.at("id&1")) whole += part;
          fixture.bucket.objects["/b/name"] = whole;
          fixture.bucket.uploads.erase("id&1");
          return Fail(Errc::kIo);
        };
        const bool put = co_await fixture.Put(Content(2 * kMiB));
        CHECK(put);
        CHECK(lost);
      },
      2);
}

TEST_CASE("who may not look whether an object is there may put it all the same") {
  RunOnEngines(
      [](TestEnv& env) -> Task<void> {
        Fixture fixture(env);
        fixture.bucket.disturb = [&](const ClientRequest& request) -> std::optional<ScriptedAnswer> {
          if (request.method == "HEAD" && fixture.bucket.objects.empty()) return GiveStatus(403);
          return std::nullopt;
        };
        const bool put = co_await fixture.Put("hello");
        CHECK(put);
      },
      2);
}

}  // namespace sluice::backend
