// SPDX-License-Identifier: Apache-2.0
#include "oci/repository.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "fake_registry.h"
#include "http/proxy.h"
#include "runtime/combine.h"

namespace sluice::oci {
namespace {

using namespace sluice::test;
using runtime::Task;

const std::string kServer = "https://r.example/v2";

std::string ManifestText(const std::string& extra = "") {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c",)"
         R"("digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":2},"layers":[])" +
         extra + "}";
}

std::string IndexText(const std::vector<Descriptor>& manifests) {
  return Serialize(Index{.media_type = std::string(media_type::kIndex), .manifests = manifests});
}

}  // namespace

TEST_CASE("a tag is resolved over nested indexes to the manifest of a platform") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    Descriptor arm = registry.PutManifest(ManifestText(R"(,"annotations":{"for":"arm"})"), media_type::kManifest, "");
    arm.platform = Platform{.os = "linux", .architecture = "arm64"};
    Descriptor amd = registry.PutManifest(ManifestText(), media_type::kManifest, "");
    amd.platform = Platform{.os = "linux", .architecture = "amd64"};
    const std::string index = IndexText({arm, amd});
    (void)registry.PutManifest(index, media_type::kIndex, "t");
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) { return registry.Serve(request); });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));

    const auto platform = std::optional(Platform::Parse("linux/arm64"));
    const Repository::Resolved resolved = co_await repository.Resolve(platform);
    CHECK(resolved.descriptor == arm);
    CHECK(resolved.manifest.annotations.at("for") == "arm");
    REQUIRE(resolved.index.has_value());
    CHECK(AsText(resolved.index->bytes) == index);
    CHECK(world.transport.requests().front().url.ToString() == "https://r.example/v2/a/b/manifests/t");

    const auto missing = std::optional(Platform::Parse("linux/riscv64"));
    Errc code = Errc::kIo;
    try {
      (void)co_await repository.Resolve(missing);
    } catch (const Error& e) {
      code = e.code();
    }
    CHECK(code == Errc::kNotFound);
  });
}

TEST_CASE("a blob that comes late is asked for a second time where hedging is on, for readers only") {
  struct Case {
    bool hedge;
    runtime::Lane lane;
    size_t asked;
  };
  for (const Case& each : {Case{true, runtime::Lane::kDemand, 22}, Case{true, runtime::Lane::kBackground, 21},
                           Case{false, runtime::Lane::kDemand, 21}}) {
    test::RunOnSimulator(
        [&each](TestEnv& env) -> Task<void> {
          FakeRegistry registry;
          const Digest digest = registry.PutBlob("0123456789");
          size_t asked = 0;
          RegistryWorld world(env, [&](const http::ClientRequest& request) {
            test::ScriptedAnswer answer = registry.Serve(request);
            answer.delay = ++asked == 21 ? std::chrono::seconds(20) : std::chrono::milliseconds(10);
            return answer;
          });
          Endpoint endpoint = EndpointAt(kServer);
          endpoint.hedge = each.hedge;
          Repository repository(world.Services(), TestImage(), world.Options({endpoint}));
          std::string bytes(4, ' ');
          const MutableBytes dst = std::as_writable_bytes(std::span(bytes));
          for (int i = 0; i < 20; ++i) co_await repository.ReadBlob(digest, std::nullopt, 0, dst, each.lane);
          const TimePoint start = env.engine().Now();
          co_await repository.ReadBlob(digest, std::nullopt, 3, dst, each.lane);
          CHECK(bytes == "3456");
          CHECK(asked == each.asked);
          const bool quick = env.engine().Now() - start < std::chrono::seconds(1);
          CHECK(quick == (each.asked == 22));
        },
        4);
  }
}

TEST_CASE("a late answer that fails leaves the second one the word") {
  test::RunOnSimulator(
      [](TestEnv& env) -> Task<void> {
        FakeRegistry registry;
        const Digest digest = registry.PutBlob("0123456789");
        size_t asked = 0;
        RegistryWorld world(env, [&](const http::ClientRequest& request) {
          ++asked;
          test::ScriptedAnswer answer = asked == 21 ? test::Answer(503) : registry.Serve(request);
          // The 503 comes when the second request is under way, and before its answer.
          answer.delay = asked == 21   ? std::chrono::milliseconds(1000)
                         : asked == 22 ? std::chrono::milliseconds(2000)
                                       : std::chrono::milliseconds(10);
          return answer;
        });
        Endpoint endpoint = EndpointAt(kServer);
        endpoint.hedge = true;
        Repository repository(world.Services(), TestImage(), world.Options({endpoint}));
        std::string bytes(4, ' ');
        const MutableBytes dst = std::as_writable_bytes(std::span(bytes));
        for (int i = 0; i < 20; ++i) co_await repository.ReadBlob(digest, std::nullopt, 0, dst);
        co_await repository.ReadBlob(digest, std::nullopt, 3, dst);
        CHECK(bytes == "3456");
        CHECK(asked == 22);
      },
      4);
}

TEST_CASE("small blobs are read whole and large ones by ranges, both checked") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    const std::string bytes = "0123456789";
    const Digest digest = registry.PutBlob(bytes);
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) { return registry.Serve(request); });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));

    const Descriptor descriptor{.media_type = "c", .digest = digest, .size = bytes.size()};
    const std::vector<std::byte> whole = co_await repository.GetBlob(descriptor, 100);
    CHECK(AsText(whole) == bytes);
    const auto get = [](Repository& r, Descriptor d, uint64_t most) -> Task<void> {
      (void)co_await r.GetBlob(d, most);
    };
    Descriptor lie = descriptor;
    lie.size = 9;
    co_await ExpectError(get(repository, lie, 100), Errc::kLimit);
    lie.size = 11;
    co_await ExpectError(get(repository, lie, 100), Errc::kCorrupt);
    co_await ExpectError(get(repository, descriptor, 9), Errc::kLimit);

    std::string part(3, ' ');
    co_await repository.ReadBlob(digest, bytes.size(), 4, std::as_writable_bytes(std::span(part)));
    CHECK(part == "456");
    CHECK(FieldOf(world.transport.requests().back(), "Range") == "bytes=4-6");

    // All of a blob needs no server that knows ranges.
    const std::unique_ptr<http::RangeStream> stream =
        co_await repository.OpenBlob(digest, bytes.size(), ByteRange{0, bytes.size()});
    std::string all(20, ' ');
    const size_t got = co_await stream->ReadSome(std::as_writable_bytes(std::span(all)));
    CHECK(got == 10);
    CHECK(all.substr(0, 10) == bytes);
    CHECK(FieldOf(world.transport.requests().back(), "Range").empty());
  });
}

TEST_CASE("a mirror that lacks an image, lies or breaks is passed over for the registry") {
  struct Case {
    std::string name;
    std::function<ScriptedAnswer(const ScriptedAnswer&)> spoil;
  };
  const Case cases[] = {{"lacks it", [](const ScriptedAnswer&) { return Answer(404); }},
                        {"refuses", [](const ScriptedAnswer&) { return Answer(403); }},
                        {"lies",
                         [](const ScriptedAnswer& honest) {
                           ScriptedAnswer answer = honest;
                           answer.body += " ";
                           return answer;
                         }},
                        {"breaks", [](const ScriptedAnswer& honest) {
                           ScriptedAnswer answer = honest;
                           answer.failure = Error(Errc::kIo, "reset");
                           return answer;
                         }}};
  for (const Case& c : cases) {
    CAPTURE(c.name);
    RunOnEngines(
        [&c](TestEnv& env) -> Task<void> {
          FakeRegistry registry;
          const std::string text = ManifestText();
          const Descriptor manifest = registry.PutManifest(text, media_type::kManifest, "t");
          RegistryWorld world(env, [&registry, &c](const http::ClientRequest& request) {
            const ScriptedAnswer honest = registry.Serve(request);
            return request.url.origin().host == "m.example" ? c.spoil(honest) : honest;
          });
          RegistryReference image = TestImage();
          image.digest = manifest.digest;
          Repository repository(world.Services(), image,
                                world.Options({EndpointAt("https://m.example/v2"), EndpointAt(kServer)}));
          const StoredManifest stored = co_await repository.GetManifest();
          CHECK(AsText(stored.bytes) == text);
          CHECK(world.transport.requests().size() == 2);
        },
        2);
  }
}

TEST_CASE("only servers that may resolve are asked what a tag means") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    (void)registry.PutManifest(ManifestText(), media_type::kManifest, "t");
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) { return registry.Serve(request); });
    Endpoint mirror = EndpointAt("https://m.example/v2");
    mirror.resolve = false;
    Repository repository(world.Services(), TestImage(), world.Options({mirror, EndpointAt(kServer)}));
    (void)co_await repository.GetManifest();
    REQUIRE(world.transport.requests().size() == 1);
    CHECK(world.transport.requests()[0].url.origin().host == "r.example");
  });
}

TEST_CASE("what fails for a while is tried again, what is final is not") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    int answered = 0;
    unsigned status = 503;
    FakeRegistry registry;
    (void)registry.PutManifest(ManifestText(), media_type::kManifest, "t");
    RegistryWorld world(env, [&](const http::ClientRequest& request) {
      return ++answered < 3 ? Answer(status) : registry.Serve(request);
    });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));
    (void)co_await repository.GetManifest();
    CHECK(answered == 3);

    for (const unsigned final : {403u, 404u, 416u, 400u}) {
      answered = 0;
      status = final;
      const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
      (void)co_await ErrorOf(get(repository));
      CHECK(answered == 1);
    }
  });
}

TEST_CASE("the place behind a redirect is remembered until it fails or a minute has passed") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const std::string bytes = "0123456789";
    FakeRegistry registry;
    const Digest digest = registry.PutBlob(bytes);
    bool expired = false;
    int redirected = 0;
    RegistryWorld world(env, [&](const http::ClientRequest& request) {
      if (request.url.origin().host != "r.example") {
        CHECK(FieldOf(request, "Authorization").empty());
        return expired ? Answer(403) : FakeRegistry::ServeBytes(request, bytes);
      }
      ++redirected;
      expired = false;
      return Answer(307, "", {{"Location", "https://storage.example/x?signature=s3cr3t"}});
    });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));
    std::string part(2, ' ');
    const MutableBytes dst = std::as_writable_bytes(std::span(part));
    co_await repository.ReadBlob(digest, 10, 0, dst);
    co_await repository.ReadBlob(digest, 10, 4, dst);
    CHECK(part == "45");
    CHECK(redirected == 1);
    expired = true;
    co_await repository.ReadBlob(digest, 10, 6, dst);
    CHECK(part == "67");
    CHECK(redirected == 2);
    repository.Distrust();
    co_await repository.ReadBlob(digest, 10, 6, dst);
    CHECK(redirected == 3);
    if (env.simulator() != nullptr) {
      co_await runtime::Sleep(env.engine(), std::chrono::seconds(61));
      co_await repository.ReadBlob(digest, 10, 6, dst);
      CHECK(redirected == 4);
    }
  });
}

TEST_CASE("a server that has given wrong bytes is asked last next time") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    const Digest digest = registry.PutBlob("0123456789");
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) { return registry.Serve(request); });
    Repository repository(world.Services(), TestImage(),
                          world.Options({EndpointAt("https://m.example/v2"), EndpointAt(kServer)}));
    std::string part(2, ' ');
    const MutableBytes dst = std::as_writable_bytes(std::span(part));
    co_await repository.ReadBlob(digest, 10, 0, dst);
    CHECK(world.transport.requests().back().url.origin().host == "m.example");
    repository.Distrust();
    co_await repository.ReadBlob(digest, 10, 0, dst);
    CHECK(world.transport.requests().back().url.origin().host == "r.example");
  });
}

TEST_CASE("a mirror that asks for a password does not get that of the registry") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    const Digest digest = registry.PutBlob("0123456789");
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) {
      if (FieldOf(request, "Authorization").empty())
        return Answer(401, "", {{"WWW-Authenticate", R"(Basic realm="say")"}});
      return registry.Serve(request);
    });
    world.credentials->Change(Credentials{.user = "alice", .password = Secret("s3cr3t")});
    Endpoint mirror = EndpointAt("https://m.example/v2", "m.example/a/b:t");
    mirror.is_mirror = true;
    Repository repository(world.Services(), TestImage(), world.Options({mirror, EndpointAt(kServer)}));
    std::string part(2, ' ');
    const MutableBytes dst = std::as_writable_bytes(std::span(part));
    co_await repository.ReadBlob(digest, 10, 0, dst);
    CHECK(world.transport.requests().back().url.origin().host == "r.example");
    CHECK(world.mirror_credentials->asked() == 1);
    // What somebody has stored under the mirror's name is for the mirror.
    world.mirror_credentials->Change(Credentials{.user = "bob", .password = Secret("0ther")});
    co_await repository.ReadBlob(digest, 10, 0, dst);
    CHECK(world.transport.requests().back().url.origin().host == "m.example");
    for (const http::ClientRequest& request : world.transport.requests()) {
      const std::string shown = FieldOf(request, "Authorization");
      const std::string expected =
          request.url.origin().host == "m.example" ? "Basic Ym9iOjB0aGVy" : "Basic YWxpY2U6czNjcjN0";
      if (!shown.empty()) CHECK(shown == expected);
    }
  });
}

TEST_CASE("a forward proxy that is down is left alone, the registry behind it is not") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    const Digest digest = registry.PutBlob("0123456789");
    int through_proxy = 0;
    RegistryWorld world(env, [&](const http::ClientRequest& request) {
      ScriptedAnswer answer = registry.Serve(request);
      if (request.connect.proxies) {
        ++through_proxy;
        answer.failure = Error(Errc::kIo, "no proxy");
      }
      return answer;
    });
    Endpoint proxied = EndpointAt(kServer);
    const auto proxy = http::Proxy::Parse("http://p.example:3128");
    proxied.connect.proxies = std::make_shared<const http::ProxyRules>(proxy, "");
    proxied.proxy = proxy.url.origin();
    Repository repository(world.Services(), TestImage(), world.Options({proxied, EndpointAt(kServer)}));
    std::string part(2, ' ');
    for (int i = 0; i < 20; ++i) co_await repository.ReadBlob(digest, 10, 0, std::as_writable_bytes(std::span(part)));
    CHECK(through_proxy == 5);  // http::CircuitPolicy
  });
}

TEST_CASE("what is listed as a referrer of an image and says so of another one is refused") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    const Descriptor image = registry.PutManifest(ManifestText(), media_type::kManifest, "t");
    const auto referring_to = [&](const Descriptor& subject) {
      return registry.PutManifest(
          ManifestText(R"(,"subject":{"mediaType":")" + std::string(media_type::kManifest) + R"(","digest":")" +
                       FormatDigest(subject.digest) + R"(","size":)" + std::to_string(subject.size) + "}"),
          media_type::kManifest, "");
    };
    const Descriptor honest = referring_to(image);
    const Descriptor other = referring_to(honest);
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) { return registry.Serve(request); });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));

    const Manifest manifest = co_await repository.GetReferrer(image.digest, honest);
    CHECK(manifest.subject->digest == image.digest);
    const auto get = [](Repository& r, Digest subject, Descriptor referrer) -> Task<void> {
      (void)co_await r.GetReferrer(subject, std::move(referrer));
    };
    co_await ExpectError(get(repository, image.digest, other), Errc::kCorrupt);
    co_await ExpectError(get(repository, image.digest, image), Errc::kCorrupt);
  });
}

TEST_CASE("referrers come from their API or from the tag that stands in for it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    const Descriptor image = registry.PutManifest(ManifestText(), media_type::kManifest, "t");
    Descriptor signature = image;
    signature.artifact_type = "application/x-signature";
    Descriptor list = image;
    list.artifact_type = "application/x-list";
    const std::string index = IndexText({signature, list});
    bool has_api = true;
    RegistryWorld world(env, [&](const http::ClientRequest& request) {
      if (request.url.path() == "/v2/a/b/referrers/" + FormatDigest(image.digest))
        return has_api ? Answer(200, index, {{"Content-Type", std::string(media_type::kIndex)}}) : Answer(404);
      return registry.Serve(request);
    });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));
    std::vector<Descriptor> found = co_await repository.Referrers(image.digest, "");
    CHECK(found.size() == 2);
    found = co_await repository.Referrers(image.digest, "application/x-list");
    CHECK(found == std::vector{list});
    has_api = false;
    found = co_await repository.Referrers(image.digest, "");
    CHECK(found.empty());
    (void)registry.PutManifest(index, media_type::kIndex, "sha256-" + image.digest.Hex());
    found = co_await repository.Referrers(image.digest, "");
    CHECK(found.size() == 2);
  });
}

TEST_CASE("with verification off a server without TLS is spoken to in plain http, and only then") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    (void)registry.PutManifest(ManifestText(), media_type::kManifest, "t");
    RegistryWorld world(env, [&registry](const http::ClientRequest& request) {
      ScriptedAnswer answer = registry.Serve(request);
      if (request.url.secure()) answer.failure = Error(Errc::kIo, "no TLS");
      return answer;
    });
    const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
    Repository strict(world.Services(), TestImage(), world.Options({EndpointAt("https://r.example:5000/v2")}));
    co_await ExpectError(get(strict), Errc::kIo);
    for (const http::ClientRequest& request : world.transport.requests()) CHECK(request.url.secure());

    Endpoint lax = EndpointAt("https://s.example:5000/v2");
    lax.may_be_plain = true;
    Repository repository(world.Services(), TestImage(), world.Options({lax}));
    (void)co_await repository.GetManifest();
    CHECK(world.transport.requests().back().url.ToString() == "http://s.example:5000/v2/a/b/manifests/t");
  });
}

TEST_CASE("plain http is not spoken to a server that knows TLS, or that does not answer") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    (void)registry.PutManifest(ManifestText(), media_type::kManifest, "t");
    std::optional<Errc> failure;
    RegistryWorld world(env, [&](const http::ClientRequest& request) {
      ScriptedAnswer answer = registry.Serve(request);
      if (request.url.secure() && failure) answer.failure = Error(*failure, "no answer");
      return answer;
    });
    const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
    Endpoint lax = EndpointAt("https://s.example:5000/v2");
    lax.may_be_plain = true;
    failure = Errc::kTimeout;
    Repository slow(world.Services(), TestImage(), world.Options({lax}));
    co_await ExpectError(get(slow), Errc::kTimeout);
    failure.reset();
    Repository secure(world.Services(), TestImage(), world.Options({lax}));
    (void)co_await secure.GetManifest();
    // Pings alone have tried it, without credentials.
    for (const http::ClientRequest& request : world.transport.requests()) {
      CHECK((request.url.secure() || request.url.path() == "/v2/"));
      CHECK(test::FieldOf(request, "Authorization").empty());
    }
  });
}

TEST_CASE("a repository gets ready at the server that is asked first, and does not complain") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    FakeRegistry registry;
    bool answers = true;
    RegistryWorld world(env, [&](const http::ClientRequest& request) {
      ScriptedAnswer answer = registry.Serve(request);
      if (!answers) answer.failure = Error(Errc::kIo, "gone");
      return answer;
    });
    Repository repository(world.Services(), TestImage(),
                          world.Options({EndpointAt("https://m.example/v2"), EndpointAt(kServer)}));
    co_await repository.Prepare();
    CHECK(world.transport.requests().size() == 1);
    CHECK(world.transport.requests().back().url.ToString() == "https://m.example/v2/");
    answers = false;
    co_await repository.Prepare();
    CHECK(world.transport.requests().size() == 2);
  });
}

}  // namespace sluice::oci
