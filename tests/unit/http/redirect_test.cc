// SPDX-License-Identifier: Apache-2.0
#include "http/redirect.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "http/fetch.h"
#include "support/engines.h"
#include "support/scripted_transport.h"

namespace sluice::http {
namespace {

using runtime::Task;
using test::ScriptedAnswer;
using test::ScriptedTransport;
using test::TestEnv;

// Sends a request with all kinds of credentials to `from`, which answers with a redirect to `location`; whatever comes
// next is answered with 200.
class OneRedirect {
 public:
  OneRedirect(const std::string& from, const std::string& location, unsigned status = 307)
      : request_("GET", Url::Parse(from)) {
    request_.fields = {
        {"Authorization", "Bearer s1"}, {"cookie", "s2"}, {"X-Token", "s3", true}, {"Range", "bytes=0-1"}};
    request_.connect.tls =
        std::make_shared<TlsOptions>(TlsOptions{.extra_ca = "ca", .client_cert = "c", .client_key = "k"});
    transport_.emplace([location, status, first = true](const ClientRequest&) mutable {
      ScriptedAnswer answer;
      if (std::exchange(first, false)) answer.head = {status, {{"Location", location}}};
      answer.body = "body";
      return answer;
    });
  }
  ClientRequest& request() { return request_; }

  // The request that followed the redirect.
  ClientRequest Follow() {
    const auto body = [this](TestEnv&) -> Task<void> {
      RedirectingTransport redirecting(*transport_);
      const std::unique_ptr<Exchange> exchange = co_await redirecting.Send(request_);
      status_ = exchange->status();
      CHECK(exchange->url() == transport_->requests().back().url);
    };
    test::RunOnSimulator(body, 1);
    return transport_->requests().back();
  }
  // What it ends with instead.
  Errc Refusal() {
    try {
      Follow();
    } catch (const Error& error) {
      CHECK(transport_->requests().size() == 1);
      for (const char* secret : {"s1", "s2", "s3", "sig="}) CHECK(error.message().find(secret) == std::string::npos);
      return error.code();
    }
    FAIL("followed");
    return Errc::kIo;
  }
  size_t requests() const { return transport_->requests().size(); }
  unsigned status() const { return status_; }

 private:
  ClientRequest request_;
  std::optional<ScriptedTransport> transport_;
  unsigned status_ = 0;
};

std::string FieldNames(const ClientRequest& request) {
  std::string names;
  for (const Field& field : request.fields) names += field.name + " ";
  return names;
}

TEST_CASE("a redirect within an origin keeps everything") {
  const ClientRequest next = OneRedirect("https://h/a?b", "/c?d").Follow();
  CHECK(next.url.ToString() == "https://h/c?d");
  CHECK(FieldNames(next) == "Authorization cookie X-Token Range ");
  CHECK(next.connect.tls->client_key == "k");
  CHECK(next.connect.reach == Reach::kAnywhere);
}

TEST_CASE("credentials stay behind when host, port or scheme change") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"https://h/a", "https://other/c"},    {"https://h/a", "https://sub.h/c"}, {"https://h/a", "https://h:444/c"},
      {"http://h:443/a", "https://h:443/c"}, {"http://h/a", "http://h:8080/c"},  {"https://h/a", "//other/c"}};
  for (const auto& [from, location] : cases) {
    INFO(from << " to " << location);
    const ClientRequest next = OneRedirect(from, location).Follow();
    CHECK(FieldNames(next) == "Range ");
    CHECK(next.connect.tls->client_cert.empty());
    CHECK(next.connect.tls->client_key.empty());
    CHECK(next.connect.tls->extra_ca == "ca");
    CHECK(next.connect.reach == Reach::kNotLocal);
  }
}

TEST_CASE("nobody sends us from https to http") {
  CHECK(OneRedirect("https://h/a", "http://h/c?sig=1").Refusal() == Errc::kPermission);
  CHECK(OneRedirect("https://h/a", "http://other/c").Refusal() == Errc::kPermission);
}

TEST_CASE("nobody sends us from the network into this machine") {
  for (const char* location :
       {"http://127.0.0.1/", "http://localhost:8080/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/",
        "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://[fe80::1]/"}) {
    INFO(location);
    CHECK(OneRedirect("http://registry.example/a", location).Refusal() == Errc::kPermission);
  }
  // From this machine to this machine is everyday life.
  CHECK(OneRedirect("http://127.0.0.1:5000/a", "http://127.0.0.1:5001/c").Follow().connect.reach == Reach::kAnywhere);
}

TEST_CASE("a redirect may lead into a private network, and takes nothing secret there") {
  for (const char* location : {"https://10.0.0.7:9000/c", "https://192.168.1.1/c", "https://[fd00::1]/c"}) {
    INFO(location);
    const ClientRequest next = OneRedirect("https://registry.example/a", location).Follow();
    CHECK(FieldNames(next) == "Range ");
    CHECK(next.connect.tls->client_key.empty());
  }
}

TEST_CASE("only http and https are followed") {
  for (const char* location : {"file:///etc/passwd", "ftp://h/", "gopher://h/", "https://user:pw@h/", "http://"}) {
    INFO(location);
    CHECK(OneRedirect("http://h/a", location).Refusal() == Errc::kCorrupt);
  }
}

TEST_CASE("a request over a unix socket is not sent elsewhere") {
  OneRedirect redirect("http://localhost/a", "http://other/c");
  redirect.request().connect.unix_socket = "/run/x.sock";
  CHECK(redirect.Refusal() == Errc::kPermission);
}

TEST_CASE("redirects of all kinds are followed for GET and HEAD, of others they are the answer") {
  for (const unsigned status : {301u, 302u, 303u, 307u, 308u}) {
    for (const char* method : {"GET", "HEAD"}) {
      OneRedirect redirect("http://h/a", "/c", status);
      redirect.request().method = method;
      CHECK(redirect.Follow().method == method);
      CHECK(redirect.requests() == 2);
    }
    for (const char* method : {"PUT", "POST", "PATCH", "DELETE"}) {
      OneRedirect redirect("http://h/a", "/c", status);
      redirect.request().method = method;
      redirect.Follow();
      CHECK(redirect.requests() == 1);
      CHECK(redirect.status() == status);
    }
  }
  OneRedirect not_modified("http://h/a", "/c", 304);
  not_modified.Follow();
  CHECK(not_modified.status() == 304);
}

// Follows what `script` answers; gives the number of requests, or the code of the failure.
std::pair<size_t, std::optional<Errc>> FollowAll(const ScriptedTransport::Script& script) {
  ScriptedTransport transport(script);
  std::optional<Errc> code;
  const auto body = [&](TestEnv&) -> Task<void> {
    RedirectingTransport redirecting(transport);
    try {
      co_await redirecting.Send(ClientRequest("GET", Url::Parse("http://h/0")));
    } catch (const Error& error) {
      code = error.code();
    }
  };
  test::RunOnSimulator(body, 1);
  return {transport.requests().size(), code};
}

TEST_CASE("a loop of redirects ends") {
  const auto loop = FollowAll([](const ClientRequest&) {
    ScriptedAnswer answer;
    answer.head = {302, {{"Location", "/again"}}};
    return answer;
  });
  CHECK(loop.first == RedirectingTransport::kMostRedirects + 1);
  CHECK(loop.second == Errc::kLimit);
}

TEST_CASE("a redirect without a Location, or with two, leads nowhere") {
  for (const std::vector<Field>& fields : {std::vector<Field>{}, {{"Location", "/a"}, {"Location", "/b"}}}) {
    const auto end = FollowAll([&](const ClientRequest&) {
      ScriptedAnswer answer;
      answer.head = {302, fields};
      return answer;
    });
    CHECK(end.first == 1);
    CHECK(end.second == Errc::kCorrupt);
  }
}

TEST_CASE("the body of a redirect is no reason to stop") {
  for (const bool endless : {false, true}) {
    const auto end = FollowAll([&, first = true](const ClientRequest&) mutable {
      ScriptedAnswer answer;
      if (std::exchange(first, false)) answer.head = {302, {{"Location", "/next"}}};
      answer.body.resize(endless ? 10'000'000 : 10);
      answer.cut_at = endless ? 9'000'000 : 5;
      return answer;
    });
    CHECK(end.first == 2);
    CHECK_FALSE(end.second);
  }
}

}  // namespace
}  // namespace sluice::http
