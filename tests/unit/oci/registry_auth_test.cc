// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_auth.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/base64.h"
#include "base/error.h"
#include "fake_registry.h"
#include "oci/registry_token.h"
#include "runtime/combine.h"
#include "runtime/timer.h"

namespace sluice::oci {
namespace {

using namespace sluice::test;
using runtime::Task;

const Credentials kAlice{.user = "alice", .password = Secret("s3cr3t")};

// r.example wants tokens of auth.example, which has one for whoever knows alice's password.
class TokenWorld {
 public:
  explicit TokenWorld(TestEnv& env)
      : world(env, [this](const http::ClientRequest& request) { return Serve(request); }),
        repository(world.Services(), TestImage(), world.Options({EndpointAt("https://r.example/v2")})) {
    world.credentials->Change(kAlice);
  }

  ScriptedAnswer Serve(const http::ClientRequest& request) {
    if (request.url.origin().host == "r.example" && request.url.path() != token_path) {
      if (!token.empty() && FieldOf(request, "Authorization") == "Bearer " + token) return Answer(404);
      ScriptedAnswer answer = Answer(401, "{}", {{"WWW-Authenticate", challenge}});
      answer.peer = address;
      return answer;
    }
    ++tokens;
    last_query = request.url.query();
    if (FieldOf(request, "Authorization") != "Basic " + EncodeBase64(AsBytes("alice:s3cr3t")) &&
        request.body.find("refresh_token=id") == std::string::npos)
      return Answer(401, "{}");
    token = "token-" + std::to_string(tokens);
    return Answer(200, "{\"token\":\"" + token + "\"" + lifetime + "}");
  }
  // kNotFound: logged in, and the manifest is not there.
  Task<Errc> Get() {
    const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
    co_return co_await ErrorOf(get(repository));
  }

  Task<void> Expect(Errc code) {
    const Errc got = co_await Get();
    CHECK(got == code);
  }

  std::string challenge = R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull")";
  std::optional<http::IpAddress> address;  // of r.example
  std::string lifetime = R"(,"expires_in":300)";
  std::string token_path;  // of a token server at the registry
  std::string token;
  int tokens = 0;
  std::string last_query;
  RegistryWorld world;
  Repository repository;
};

}  // namespace

TEST_CASE("a token is fetched once, used by all requests, and renewed shortly before its end") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    TokenWorld world(env);
    co_await world.Expect(Errc::kNotFound);
    co_await world.Expect(Errc::kNotFound);
    CHECK(world.tokens == 1);
    CHECK(world.last_query == "service=reg&scope=repository%3Aa%2Fb%3Apull");
    CHECK(world.world.transport.requests().size() == 4);
    if (env.simulator() == nullptr) co_return;
    co_await runtime::Sleep(env.engine(), std::chrono::seconds(291));
    co_await world.Expect(Errc::kNotFound);
    CHECK(world.tokens == 2);
    // It was not refused first: token server, then registry.
    CHECK(world.world.transport.requests().size() == 6);
  });
}

TEST_CASE("a token that is refused before its time is renewed once, with credentials read anew") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    TokenWorld world(env);
    co_await world.Expect(Errc::kNotFound);
    world.token = "revoked by the registry";
    co_await world.Expect(Errc::kNotFound);
    CHECK(world.tokens == 2);
    CHECK(world.world.credentials->asked() == 2);

    // The password has changed: one question to the token server, then an error; the new one helps without a restart.
    world.token = "revoked again";
    world.world.credentials->Change(Credentials{.user = "alice", .password = Secret("wrong")});
    co_await world.Expect(Errc::kPermission);
    CHECK(world.tokens == 3);
    world.world.credentials->Change(kAlice);
    co_await world.Expect(Errc::kNotFound);
  });
}

TEST_CASE("requests that are refused together share one token") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    TokenWorld world(env);
    const auto get = [](TokenWorld& w) -> Task<void> { co_await w.Expect(Errc::kNotFound); };
    std::vector<Task<void>> readers;
    for (int i = 0; i < 8; ++i) readers.push_back(get(world));
    co_await runtime::WhenAll(std::move(readers));
    CHECK(world.tokens == 1);
  });
}

TEST_CASE("a registry that never accepts is asked twice and no more") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    int asked = 0;
    RegistryWorld world(env, [&asked](const http::ClientRequest& request) {
      ++asked;
      CHECK((asked == 1) == FieldOf(request, "Authorization").empty());
      return Answer(401, "{}", {{"WWW-Authenticate", "Basic realm=\"x\""}});
    });
    world.credentials->Change(kAlice);
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt("https://r.example/v2")}));
    const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
    co_await ExpectError(get(repository), Errc::kPermission);
    CHECK(asked == 2);
  });
}

TEST_CASE("an identity token is exchanged by POST, a registry token is used as it is") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    TokenWorld world(env);
    world.world.credentials->Change(Credentials{.identity_token = Secret("id")});
    co_await world.Expect(Errc::kNotFound);
    const http::ClientRequest question = world.world.transport.requests()[1];
    CHECK(question.method == "POST");
    CHECK(question.body ==
          "grant_type=refresh_token&service=reg&client_id=sluice&scope=repository%3Aa%2Fb%3Apull&refresh_token=id");
    CHECK(question.url.query().empty());

    TokenWorld fixed(env);
    fixed.token = "fixed";
    fixed.world.credentials->Change(Credentials{.registry_token = Secret("fixed")});
    co_await fixed.Expect(Errc::kNotFound);
    CHECK(fixed.tokens == 0);
  });
}

// Attacks on credentials: what a registry, or somebody between, may say to get them.

TEST_CASE("credentials do not follow a redirect to another host, scheme or port") {
  for (const std::string& location : {std::string("https://evil.example/x"), std::string("https://r.example:8443/x"),
                                      std::string("https://xr.example/x")}) {
    CAPTURE(location);
    RunOnEngines(
        [&location](TestEnv& env) -> Task<void> {
          bool arrived = false;
          RegistryWorld world(env, [&](const http::ClientRequest& request) {
            if (request.url.origin() != http::Url::Parse("https://r.example").origin()) {
              arrived = true;
              CHECK(FieldOf(request, "Authorization").empty());
              // A 401 of somebody else is no reason to log in: that is how credentials were harvested.
              return Answer(401, "", {{"WWW-Authenticate", "Basic realm=\"give\""}});
            }
            if (FieldOf(request, "Authorization").empty())
              return Answer(401, "", {{"WWW-Authenticate", "Basic realm=\"x\""}});
            return Answer(307, "", {{"Location", location}});
          });
          world.credentials->Change(kAlice);
          Repository repository(world.Services(), TestImage(), world.Options({EndpointAt("https://r.example/v2")}));
          const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
          co_await ExpectError(get(repository), Errc::kPermission);
          CHECK(arrived);
          CHECK(world.credentials->asked() == 1);
        },
        2);
  }
}

TEST_CASE("a redirect from https to http is refused") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    RegistryWorld world(env, [](const http::ClientRequest& request) {
      CHECK(request.url.secure());
      return Answer(307, "", {{"Location", "http://r.example/x"}});
    });
    Repository repository(world.Services(), TestImage(), world.Options({EndpointAt("https://r.example/v2")}));
    const auto get = [](Repository& r) -> Task<void> { (void)co_await r.GetManifest(); };
    co_await ExpectError(get(repository), Errc::kPermission);
  });
}

TEST_CASE("a realm that a registry may not name gets no credentials") {
  for (const std::string& realm :
       {std::string("http://auth.example/token"), std::string("https://127.0.0.1/token"),
        std::string("https://localhost/t"), std::string("https://169.254.169.254/latest/meta-data"),
        std::string("https://[::1]/token"), std::string("https://10.1.2.3/token"),
        std::string("https://192.168.0.1/token"), std::string("https://172.31.0.1/t"),
        std::string("https://100.64.0.1/t"), std::string("https://[fd00::1]/t"), std::string("file:///etc/passwd"),
        std::string("https://user:word@auth.example/"), std::string()}) {
    CAPTURE(realm);
    RunOnEngines(
        [&realm](TestEnv& env) -> Task<void> {
          TokenWorld world(env);
          world.challenge = "Bearer realm=\"" + realm + "\",service=\"reg\"";
          const Errc code = co_await world.Get();
          CHECK((code == Errc::kPermission || code == Errc::kCorrupt));
          CHECK(world.tokens == 0);
        },
        1);
  }
}

TEST_CASE("a registry of this machine or of a private network may have its token server there") {
  http::ClientRequest local("GET", http::Url::Parse("http://127.0.0.1:5000/v2/a/manifests/t"));
  const auto challenge = ParseAuthChallenges("Bearer realm=\"http://127.0.0.1:6000/token\"").front();
  CHECK(TokenRequest(local, challenge, "repository:a:pull", std::nullopt).url.ToString() ==
        "http://127.0.0.1:6000/token?scope=repository%3Aa%3Apull");
  http::ClientRequest inside("GET", http::Url::Parse("https://10.0.0.1/v2/a/manifests/t"));
  const auto neighbour = ParseAuthChallenges("Bearer realm=\"https://10.0.0.2/token\"").front();
  CHECK(TokenRequest(inside, neighbour, "repository:a:pull", std::nullopt).url.origin().host == "10.0.0.2");
}

TEST_CASE("who is on the internet sends nobody to a token server inside, not by a name either") {
  using http::IpAddress;
  using http::Reach;
  const http::Url name = http::Url::Parse("https://r.example/v2/");
  CHECK(RealmReach(name, std::nullopt) == Reach::kPublic);
  CHECK(RealmReach(name, IpAddress::Parse("203.0.113.1")) == Reach::kPublic);
  CHECK(RealmReach(name, IpAddress::Parse("2001:db8::1")) == Reach::kPublic);
  CHECK(RealmReach(name, IpAddress::Parse("10.0.0.1")) == Reach::kNotLocal);
  CHECK(RealmReach(name, IpAddress::Parse("::ffff:192.168.1.1")) == Reach::kNotLocal);
  CHECK(RealmReach(name, IpAddress::Parse("127.0.0.1")) == Reach::kAnywhere);
  CHECK(RealmReach(http::Url::Parse("http://localhost:5000/v2/"), std::nullopt) == Reach::kAnywhere);
  CHECK(RealmReach(http::Url::Parse("http://10.0.0.1/v2/"), std::nullopt) == Reach::kNotLocal);

  struct Case {
    const char* address;  // of the registry
    const char* realm;
    Reach reach;  // of the request for a token
    Errc code;
  };
  for (const Case& each : {Case{"203.0.113.1", "https://auth.example/t", Reach::kPublic, Errc::kNotFound},
                           Case{"203.0.113.1", "https://r.example/t", Reach::kPublic, Errc::kNotFound},
                           Case{"10.0.0.1", "https://auth.example/t", Reach::kNotLocal, Errc::kNotFound},
                           Case{"10.0.0.1", "https://10.0.0.2/t", Reach::kNotLocal, Errc::kNotFound},
                           Case{"10.0.0.1", "https://127.0.0.1/t", Reach::kNotLocal, Errc::kPermission},
                           Case{"203.0.113.1", "https://10.0.0.2/t", Reach::kPublic, Errc::kPermission}}) {
    CAPTURE(each.address, each.realm);
    RunOnEngines(
        [&each](TestEnv& env) -> Task<void> {
          TokenWorld world(env);
          world.address = IpAddress::Parse(each.address);
          world.challenge = std::string("Bearer realm=\"") + each.realm + "\"";
          // A token server of the registry's own name answers under another path.
          world.token_path = "/t";
          co_await world.Expect(each.code);
          CHECK(world.tokens == (each.code == Errc::kNotFound ? 1 : 0));
          for (const http::ClientRequest& request : world.world.transport.requests()) {
            if (request.url.path() == "/t") CHECK(request.connect.reach == each.reach);
          }
        },
        1);
  }
}

TEST_CASE("no more is asked of a token server than the work needs") {
  const std::string wanted = "repository:a/b:pull";
  CHECK(ScopesToAsk("", wanted) == wanted);
  CHECK(ScopesToAsk("repository:mirror/a/b:pull", wanted) == "repository:mirror/a/b:pull");
  CHECK(ScopesToAsk("repository:a/b:pull,push", wanted) == wanted);
  CHECK(ScopesToAsk("repository:a/b:pull", "repository:a/b:pull,push") == "repository:a/b:pull,push");
  CHECK(ScopesToAsk("repository:a/b:delete", wanted) == wanted);
  CHECK(ScopesToAsk("registry:catalog:*", wanted) == wanted);
  CHECK(ScopesToAsk("nonsense", wanted) == wanted);
  CHECK(ScopesToAsk("repository:a/b:pull,push repository:c:pull", "repository:a/b:pull,push") ==
        "repository:a/b:pull,push repository:c:pull");
}

TEST_CASE("the question for a token carries nothing of the request that was refused") {
  http::ClientRequest request("PATCH", http::Url::Parse("https://r.example/v2/a/blobs/uploads/x?state=s"));
  request.fields = {{"X-Key", "s3cr3t", true}, {"Range", "bytes=0-1"}};
  request.body = "layer";
  const auto challenge = ParseAuthChallenges("Bearer realm=\"https://auth.example/token?x=1\",service=\"a b\"").front();
  const http::ClientRequest question = TokenRequest(request, challenge, "repository:a:pull,push", kAlice);
  CHECK(question.method == "GET");
  CHECK(question.body.empty());
  CHECK(question.url.ToString() == "https://auth.example/token?x=1&service=a%20b&scope=repository%3Aa%3Apull%2Cpush");
  REQUIRE(question.fields.size() == 1);
  CHECK(question.fields[0].name == "Authorization");
  CHECK(question.fields[0].secret);
}

TEST_CASE("documents without a token that may stand in a header are refused without their text") {
  for (const std::string& text :
       {std::string("{}"), std::string("[]"), std::string("s3cr3t"), std::string(R"({"token":"s3cr3t x"})"),
        std::string(R"({"token":"s3cr3t\r\nX: y"})"), std::string(R"({"token":5})"),
        std::string(R"({"token":"s3cr3t","expires_in":-1})"), "{\"token\":\"" + std::string(100'000, 'a') + "\"}"}) {
    CAPTURE(text.substr(0, 60));
    try {
      (void)ParseToken(AsBytes(text), "token");
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
      CHECK(e.message().find("s3cr3t") == std::string::npos);
    }
  }
  CHECK(ParseToken(AsBytes(R"({"access_token":"a"})"), "t").lifetime == std::chrono::seconds(60));
  CHECK(ParseToken(AsBytes(R"({"token":"a","expires_in":99999999})"), "t").lifetime == std::chrono::hours(24));
}

TEST_CASE("no error of a login holds a credential") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    TokenWorld world(env);
    world.world.credentials->Change(Credentials{.user = "alice", .password = Secret("wr0ng-s3cr3t")});
    std::string message;
    try {
      (void)co_await world.repository.GetManifest();
    } catch (const Error& e) {
      message = e.message();
    }
    CHECK(message.find("auth.example") != std::string::npos);
    CHECK(message.find("s3cr3t") == std::string::npos);
    CHECK(message.find("scope=") == std::string::npos);
    CHECK(message.find(EncodeBase64(AsBytes("alice:wr0ng-s3cr3t"))) == std::string::npos);
  });
}

}  // namespace sluice::oci
