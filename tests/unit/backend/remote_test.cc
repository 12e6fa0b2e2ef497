// SPDX-License-Identifier: Apache-2.0
// What reads of blobs on servers ask, and whom, when servers fail.

#include "backend/remote.h"

#include <catch2/catch.hpp>

#include "backend/factory.h"
#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/timer.h"
#include "store_shard.h"

namespace sluice::backend {
namespace {

using http::ClientRequest;
using runtime::Task;
using test::RunOnEngines;
using test::RunOnSimulator;
using test::ScriptedAnswer;
using test::TestEnv;

const BlobId kId = BlobId::Parse(std::string(64, 'c'));
const std::string kContent = [] {
  std::string content;
  for (int i = 0; i < 5000; ++i) content += static_cast<char>(i * 7 % 251);
  return content;
}();

Task<std::unique_ptr<BlobSource>> Open(StoreShard& shard, std::string config) {
  const auto backend = co_await MakeBackend(shard.services(), ParseBackendConfig(config, "test"));
  co_return backend->Open(kId);  // which outlives the backend
}

std::string Http(const std::string& more = "") {
  return R"({"type":"http","config":{"url":"https://origin/blobs")" + more + "}}";
}
const std::string kMirrored = Http(R"(,"mirrors":[{"host":"https://mirror/m","headers":{"X-Key":"k"}}])");

Task<std::string> Read(BlobSource& source, uint64_t offset, size_t size) {
  std::vector<std::byte> bytes(size);
  co_await source.ReadAt(offset, bytes);
  co_return std::string(AsText(bytes));
}

Task<void> ExpectError(BlobSource& source, Errc code, std::string part) {
  std::vector<std::byte> bytes(10);
  std::string message = "(none)";
  std::optional<Errc> actual;
  try {
    co_await source.ReadAt(0, bytes);
  } catch (const Error& e) {
    actual = e.code();
    message = e.message();
  }
  CHECK(actual == code);
  CHECK_THAT(message, Catch::Contains(part));
}

}  // namespace

TEST_CASE("a read asks the server for exactly its range") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) { return GiveRange(request, kContent); });
    const auto source = co_await Open(shard, Http(R"(,"headers":{"X-Token":"t"})"));
    const std::string bytes = co_await Read(*source, 1000, 500);
    CHECK(bytes == kContent.substr(1000, 500));
    REQUIRE(shard.transport.requests().size() == 1);
    const ClientRequest& request = shard.transport.requests()[0];
    CHECK(request.method == "GET");
    CHECK(request.url.ToString() == "https://origin/blobs/" + kId.hex());
    CHECK(FieldOf(request, "Range") == "bytes=1000-1499");
    CHECK(FieldOf(request, "X-Token") == "t");
    CHECK(source->Describe() == "https://origin/blobs/");
  });
}

TEST_CASE("a mirror is asked first, with its own fields, and the place itself when the mirror cannot") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    unsigned status = 0;  // of the mirror; 0: it works
    StoreShard shard(env, [&](const ClientRequest& request) {
      const bool mirror = request.url.origin().host == "mirror";
      if (mirror && status != 0) return GiveStatus(status);
      return GiveRange(request, kContent);
    });
    const auto source = co_await Open(shard, kMirrored);
    const auto& requests = shard.transport.requests();
    co_await Read(*source, 0, 10);
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].url.ToString() == "https://mirror/m/blobs/" + kId.hex());
    CHECK(FieldOf(requests[0], "X-Key") == "k");
    size_t asked = requests.size();
    for (const unsigned broken : {404u, 403u, 500u, 200u}) {
      status = broken;
      INFO(status);
      const std::string bytes = co_await Read(*source, 7, 10);
      CHECK(bytes == kContent.substr(7, 10));
      REQUIRE(requests.size() == asked + 2);
      CHECK(requests.back().url.origin().host == "origin");
      CHECK(FieldOf(requests.back(), "X-Key").empty());
      asked = requests.size();
    }
  });
}

TEST_CASE("when all fail, the place itself has the last word") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      return request.url.origin().host == "mirror" ? Fail(Errc::kIo) : GiveStatus(404);
    });
    const auto source = co_await Open(shard, kMirrored);
    co_await ExpectError(*source, Errc::kNotFound, "https://origin/blobs/" + kId.hex());
    CHECK(shard.transport.requests().size() == 2);  // that a blob is not there is final
  });
}

TEST_CASE("what may pass is tried again as often as configured, what cannot is not") {
  const std::pair<ScriptedAnswer, size_t> cases[] = {
      {Fail(Errc::kIo), 3}, {Fail(Errc::kTimeout), 3}, {GiveStatus(503), 3}, {GiveStatus(500), 3},
      {GiveStatus(404), 1}, {GiveStatus(403), 1},      {GiveStatus(416), 1}, {GiveStatus(200), 1}};
  for (const auto& [answer, tries] : cases) {
    INFO(answer.head.status);
    RunOnSimulator(
        [&, wanted = tries, given = answer](TestEnv& env) -> Task<void> {
          StoreShard shard(env, [&](const ClientRequest&) { return given; });
          const auto source = co_await Open(shard, Http(R"(,"retry_limit":2)"));
          std::vector<std::byte> bytes(10);
          co_await test::ErrorOf(source->ReadAt(0, bytes));
          CHECK(shard.transport.requests().size() == wanted);
        },
        4);
  }
}

TEST_CASE("a body that breaks is fetched again") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    unsigned broken = 2;
    StoreShard shard(env, [&](const ClientRequest& request) {
      ScriptedAnswer answer = GiveRange(request, kContent);
      if (broken > 0) {
        --broken;
        answer.cut_at = 3;
      }
      return answer;
    });
    const auto source = co_await Open(shard, Http());
    const std::string bytes = co_await Read(*source, 100, 1000);
    CHECK(bytes == kContent.substr(100, 1000));
    CHECK(shard.transport.requests().size() == 3);
  });
}

TEST_CASE("the reader's deadline ends all tries") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        StoreShard shard(env, [](const ClientRequest&) {
          ScriptedAnswer answer = Fail(Errc::kIo);
          answer.delay = std::chrono::milliseconds(400);
          return answer;
        });
        const auto source = co_await Open(shard, Http(R"(,"retry_limit":100)"));
        std::vector<std::byte> bytes(10);
        const TimePoint start = env.engine().Now();
        const Errc error = co_await test::ErrorOf(
            runtime::WithTimeout(env.engine(), std::chrono::seconds(1), source->ReadAt(0, bytes)));
        const bool in_time = env.engine().Now() - start < std::chrono::milliseconds(1100);
        CHECK(in_time);
        const bool expected = error == Errc::kTimeout || error == Errc::kBusy;  // or the circuit opened before
        CHECK(expected);
      },
      8);
}

TEST_CASE("a server that fails in a row is left alone, and asked again after a pause") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        bool works = false;
        StoreShard shard(
            env, [&](const ClientRequest& request) { return works ? GiveRange(request, kContent) : Fail(Errc::kIo); });
        const auto source = co_await Open(shard, Http(R"(,"retry_limit":0)"));
        for (int i = 0; i < 5; ++i) co_await ExpectError(*source, Errc::kIo, "scripted");
        const size_t asked = shard.transport.requests().size();
        co_await ExpectError(*source, Errc::kBusy, "https://origin/blobs/");
        CHECK(shard.transport.requests().size() == asked);
        works = true;
        co_await runtime::Sleep(env.engine(), std::chrono::seconds(2));
        const std::string bytes = co_await Read(*source, 0, 10);
        CHECK(bytes == kContent.substr(0, 10));
      },
      4);
}

TEST_CASE("who gave wrong bytes is asked last, and caches are passed over") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) { return GiveRange(request, kContent); });
    const auto source = co_await Open(shard, kMirrored);
    const auto& requests = shard.transport.requests();
    co_await Read(*source, 0, 10);
    CHECK(requests.back().url.origin().host == "mirror");
    CHECK(FieldOf(requests.back(), "Cache-Control").empty());
    source->Distrust();
    co_await Read(*source, 0, 10);
    CHECK(requests.back().url.origin().host == "origin");
    CHECK(FieldOf(requests.back(), "Cache-Control") == "no-cache");
    co_await Read(*source, 0, 10);
    CHECK(requests.back().url.origin().host == "origin");
    CHECK(FieldOf(requests.back(), "Cache-Control").empty());
    source->Distrust();
    co_await Read(*source, 0, 10);
    CHECK(requests.back().url.origin().host == "mirror");
  });
}

TEST_CASE("an object that changes is an error, and read anew when it is distrusted") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    std::string tag = "\"one\"";
    StoreShard shard(env, [&](const ClientRequest& request) {
      ScriptedAnswer answer = GiveRange(request, kContent);
      answer.head.fields.push_back({.name = "ETag", .value = tag});
      return answer;
    });
    const auto source = co_await Open(shard, Http());
    co_await Read(*source, 0, 10);
    tag = "\"two\"";
    co_await ExpectError(*source, Errc::kCorrupt, kId.hex());
    source->Distrust();
    const std::string bytes = co_await Read(*source, 0, 10);
    CHECK(bytes == kContent.substr(0, 10));
  });
}

TEST_CASE("a stream is one request, whose bytes come in order") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      ScriptedAnswer answer = GiveRange(request, kContent);
      answer.piece = 17;
      return answer;
    });
    const auto source = co_await Open(shard, Http());
    const auto stream = source->OpenStream(100, 1000, runtime::Lane::kDemand);
    CHECK(shard.transport.requests().empty());
    std::string all;
    for (const size_t size : {1u, 400u, 599u}) {
      std::vector<std::byte> bytes(size);
      co_await stream->Read(bytes);
      all += AsText(bytes);
    }
    CHECK(all == kContent.substr(100, 1000));
    CHECK(shard.transport.requests().size() == 1);
    CHECK(FieldOf(shard.transport.requests()[0], "Range") == "bytes=100-1099");
    CHECK(shard.transport.requests()[0].lane == runtime::Lane::kDemand);

    std::vector<std::byte> byte(1);
    const auto unhurried = source->OpenStream(0, 1, runtime::Lane::kBackground);
    co_await unhurried->Read(byte);
    CHECK(shard.transport.requests()[1].lane == runtime::Lane::kBackground);
  });
}

TEST_CASE("a stream that breaks goes on where it was, elsewhere if it can") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      ScriptedAnswer answer = GiveRange(request, kContent);
      if (request.url.origin().host == "mirror") answer.cut_at = 50;
      return answer;
    });
    const auto source = co_await Open(shard, kMirrored);
    const auto stream = source->OpenStream(100, 200, runtime::Lane::kDemand);
    std::string all;
    for (const size_t size : {40u, 40u, 120u}) {
      std::vector<std::byte> bytes(size);
      co_await stream->Read(bytes);
      all += AsText(bytes);
    }
    CHECK(all == kContent.substr(100, 200));
    const auto& requests = shard.transport.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].url.origin().host == "mirror");
    CHECK(requests[1].url.origin().host == "origin");
    CHECK(FieldOf(requests[1], "Range") == "bytes=150-299");
  });
}

TEST_CASE("a stream that breaks again and again ends, and then gives nothing more") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) {
      ScriptedAnswer answer = GiveRange(request, kContent);
      answer.cut_at = 10;
      return answer;
    });
    const auto source = co_await Open(shard, Http());
    const auto stream = source->OpenStream(0, 100, runtime::Lane::kDemand);
    std::vector<std::byte> bytes(40);
    co_await stream->Read(bytes);  // four answers of ten bytes
    CHECK(AsText(bytes) == kContent.substr(0, 40));
    const Errc first = co_await test::ErrorOf(stream->Read(bytes));
    CHECK(first == Errc::kIo);
    const size_t asked = shard.transport.requests().size();
    CHECK(asked == 5);
    const Errc second = co_await test::ErrorOf(stream->Read(bytes));
    CHECK(second == Errc::kIo);
    CHECK(shard.transport.requests().size() == asked);
  });
}

TEST_CASE("blobs come through the forward proxy, and without it when it fails") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    bool proxy_works = true;
    std::vector<std::string> asked;
    StoreShard shard(env, [&](const ClientRequest& request) {
      const http::Proxy* proxy = request.connect.proxies ? request.connect.proxies->For(request.url) : nullptr;
      asked.push_back((proxy != nullptr ? "proxy " : "") + request.url.ToString());
      if (request.url.path() == "/ping") return proxy_works ? GiveStatus(200) : Fail(Errc::kIo);
      if (proxy != nullptr && !proxy_works) return Fail(Errc::kIo);
      return GiveRange(request, kContent);
    });
    const auto source = co_await Open(
        shard, Http(R"(,"proxy":{"url":"http://dragonfly:65001","ping_url":"http://dragonfly/ping","use_http":true})"));
    const std::string blob = "://origin/blobs/" + kId.hex();
    co_await Read(*source, 0, 10);
    CHECK(asked == std::vector<std::string>{"proxy http" + blob});
    asked.clear();
    proxy_works = false;
    co_await Read(*source, 0, 10);
    CHECK(asked == std::vector<std::string>{"proxy http" + blob, "https" + blob});
    asked.clear();
    // From now on it has to answer the ping first.
    co_await Read(*source, 0, 10);
    CHECK(asked == std::vector<std::string>{"http://dragonfly/ping", "https" + blob});
    asked.clear();
    proxy_works = true;
    co_await Read(*source, 0, 10);
    CHECK(asked == std::vector<std::string>{"http://dragonfly/ping", "proxy http" + blob});
  });
}

TEST_CASE("without fallback nothing goes around the proxy") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [&](const ClientRequest& request) {
      CHECK(request.connect.proxies->For(request.url) != nullptr);
      return Fail(Errc::kIo);
    });
    const auto source = co_await Open(shard, Http(R"(,"retry_limit":1,"proxy":{"url":"http://p:1","fallback":false})"));
    co_await ExpectError(*source, Errc::kIo, "scripted");
    CHECK(shard.transport.requests().size() == 2);
  });
}

TEST_CASE("a slow answer is asked for a second time when hedging is on") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        size_t asked = 0;
        StoreShard shard(env, [&](const ClientRequest& request) {
          ScriptedAnswer answer = GiveRange(request, kContent);
          ++asked;
          answer.delay = asked == 21 ? std::chrono::seconds(60) : std::chrono::milliseconds(10);
          return answer;
        });
        const auto source = co_await Open(shard, Http(R"(,"hedge":true)"));
        for (int i = 0; i < 20; ++i) co_await Read(*source, 0, 10);
        const TimePoint start = env.engine().Now();
        const std::string bytes = co_await Read(*source, 5, 10);
        CHECK(bytes == kContent.substr(5, 10));
        CHECK(asked == 22);
        const bool quick = env.engine().Now() - start < std::chrono::seconds(1);
        CHECK(quick);
      },
      4);
}

TEST_CASE("what nobody waits for is not asked for a second time") {
  RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        size_t asked = 0;
        StoreShard shard(env, [&](const ClientRequest& request) {
          ScriptedAnswer answer = GiveRange(request, kContent);
          answer.delay = ++asked == 21 ? std::chrono::seconds(3) : std::chrono::milliseconds(10);
          return answer;
        });
        const auto source = co_await Open(shard, Http(R"(,"hedge":true)"));
        for (int i = 0; i < 20; ++i) co_await Read(*source, 0, 10);
        std::string bytes(10, ' ');
        const auto stream = source->OpenStream(5, 10, runtime::Lane::kBackground);
        co_await stream->Read(std::as_writable_bytes(std::span(bytes)));
        CHECK(bytes == kContent.substr(5, 10));
        CHECK(asked == 21);
      },
      4);
}

TEST_CASE("nydusd's server on a unix socket is asked for its only blob") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    StoreShard shard(env, [](const ClientRequest& request) { return GiveRange(request, kContent); });
    const auto source = co_await Open(shard, R"({"type":"http-proxy","config":{"addr":"/run/x.sock"}})");
    co_await Read(*source, 0, 10);
    CHECK(shard.transport.requests()[0].connect.unix_socket == "/run/x.sock");
    CHECK(shard.transport.requests()[0].url.path() == "/");
    CHECK_THAT(source->Describe(), Catch::Contains("/run/x.sock"));
  });
}

}  // namespace sluice::backend
