// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "client_fixture.h"
#include "http/proxy.h"
#include "runtime/combine.h"
#include "runtime/scope.h"

namespace sluice::http {
namespace {

using runtime::Task;
using test::Answer;
using test::AnswerEach;
using test::Peer;
using test::ServerRequest;

using namespace std::chrono_literals;

// Bytes that show where they come from.
std::string Pattern(size_t size) {
  std::string text(size, 0);
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + i / 4096) % 251);
  return text;
}

TEST_CASE("requests that follow each other share a connection") {
  const auto echo = [](const ServerRequest& request) {
    return Answer(200, "X-Seen: " + request.fields.at("user-agent") + "\r\n", request.method + " " + request.target);
  };
  WithServer(AnswerEach(echo), [](Net& net) -> Task<void> {
    for (int i = 0; i < 5; ++i) co_await ExpectBody(net.client, net.Get("/a?b=c"), "GET /a?b=c");
    CHECK(net.server.connections() == 1);
    const std::unique_ptr<Exchange> exchange = co_await net.client.Send(net.Get("/"));
    CHECK(exchange->status() == 200);
    CHECK(exchange->head().Find("x-seen").value().substr(0, 7) == "sluice/");
    CHECK(!exchange->head().Find("X-Unseen"));
    CHECK(exchange->url() == net.server.At("/"));
  });
}

TEST_CASE("many requests run at once, over no more connections than allowed") {
  const auto answer = [](const ServerRequest& request) {
    return Answer(200, "", Pattern(request.target.size() * 9000));
  };
  const ClientOptions options{.requests_per_host = 6};
  WithServer(
      AnswerEach(answer),
      [](Net& net) -> Task<void> {
        std::vector<std::string> bodies(40);
        const auto fetch = [&](size_t i) -> Task<void> {
          bodies[i] = co_await BodyOf(net.client, net.Get("/" + std::string(i, 'x')));
        };
        std::vector<Task<void>> all;
        for (size_t i = 0; i < bodies.size(); ++i) all.push_back(fetch(i));
        co_await runtime::WhenAll(std::move(all));
        for (size_t i = 0; i < bodies.size(); ++i) CHECK(bodies[i] == Pattern((i + 1) * 9000));
        CHECK(net.server.connections() <= 6);
      },
      options);
}

TEST_CASE("a slow reader gets every byte of a large answer in order") {
  WithServer(Always(Answer(200, "", Pattern(3'000'001))), [](Net& net) -> Task<void> {
    const std::unique_ptr<Exchange> exchange = co_await net.client.Send(net.Get("/"));
    std::string body;
    std::vector<std::byte> piece(7001);
    for (;;) {
      const size_t got = co_await exchange->ReadSome(piece);
      if (got == 0) break;
      body += AsText(ConstBytes(piece).first(got));
      // The server runs ahead meanwhile.
      if (body.size() % 16 == 0) co_await runtime::Sleep(net.env.engine(), 1ms);
    }
    CHECK(body == Pattern(3'000'001));
    const size_t behind = co_await exchange->ReadSome(piece);
    CHECK(behind == 0);
  });
}

TEST_CASE("a dropped exchange cuts its answer and leaves the client whole") {
  WithServer(Always(Answer(200, "", Pattern(5'000'000))), [](Net& net) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      const std::unique_ptr<Exchange> exchange = co_await net.client.Send(net.Get("/"));
      std::vector<std::byte> piece(100);
      const size_t got = co_await exchange->ReadSome(piece);
      CHECK(got > 0);
    }
    CHECK(net.server.connections() == 3);
    co_await ExpectBody(net.client, net.Get("/"), Pattern(5'000'000));
  });
}

// Gives its bytes in pieces of odd sizes.
class PiecewiseSource final : public UploadSource {
 public:
  explicit PiecewiseSource(std::string bytes, size_t missing = 0) : bytes_(std::move(bytes)), missing_(missing) {}
  uint64_t size() const override { return bytes_.size() + missing_; }
  Task<size_t> ReadSome(MutableBytes dst) override {
    const runtime::Context& context = co_await runtime::CurrentContext();
    co_await runtime::Sleep(context.engine, Duration::zero());
    const size_t count = std::min({dst.size(), bytes_.size() - next_, size_t{77777}});
    std::memcpy(dst.data(), bytes_.data() + next_, count);
    next_ += count;
    co_return count;
  }
  void Rewind() override { next_ = 0; }

 private:
  const std::string bytes_;
  const size_t missing_;
  size_t next_ = 0;
};

TEST_CASE("bodies are sent from memory and from a source") {
  const auto echo = [](const ServerRequest& request) {
    return Answer(201, "X-Type: " + request.fields.at("content-type") + "\r\n", request.method + request.body);
  };
  WithServer(AnswerEach(echo), [](Net& net) -> Task<void> {
    for (const size_t size : {size_t{0}, size_t{5}, size_t{100'000}, size_t{2'500'000}}) {
      ClientRequest request("POST", net.server.At("/"));
      request.fields.push_back({.name = "Content-Type", .value = "text/x"});
      request.body = Pattern(size);
      co_await ExpectBody(net.client, request, "POST" + Pattern(size));
      PiecewiseSource source(Pattern(size));
      ClientRequest upload("PUT", net.server.At("/"));
      upload.fields = request.fields;
      upload.upload = &source;
      co_await ExpectBody(net.client, upload, "PUT" + Pattern(size));
    }
    CHECK(net.server.connections() == 1);
  });
}

TEST_CASE("an upload that ends before its size is an error, not a shorter one") {
  const auto echo = [](const ServerRequest& request) { return Answer(201, "", request.body); };
  WithServer(AnswerEach(echo), [](Net& net) -> Task<void> {
    PiecewiseSource source(Pattern(200'000), 1);
    ClientRequest upload("PUT", net.server.At("/"));
    upload.upload = &source;
    co_await ExpectError(Perform(net.client, upload), Errc::kCorrupt);
  });
}

TEST_CASE("an answer that comes before the end of the upload is taken") {
  // Looks at the header only, as a registry does whose token has expired.
  const auto refuse = [](Peer& peer) -> Task<void> {
    co_await peer.Send("HTTP/1.1 401 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    co_await peer.AwaitEnd();
  };
  WithServer(refuse, [](Net& net) -> Task<void> {
    PiecewiseSource source(Pattern(20'000'000));
    ClientRequest upload("PUT", net.server.At("/"));
    upload.upload = &source;
    const std::unique_ptr<Exchange> exchange = co_await net.client.Send(upload);
    CHECK(exchange->status() == 401);
  });
}

TEST_CASE("the answer to HEAD has no body, whatever it announces") {
  WithServer(Always("HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n"), [](Net& net) -> Task<void> {
    ClientRequest request("HEAD", net.server.At("/"));
    for (int i = 0; i < 2; ++i) {
      const std::unique_ptr<Exchange> exchange = co_await net.client.Send(request);
      CHECK(exchange->head().Find("Content-Length") == "1000");
      std::vector<std::byte> piece(10);
      const size_t got = co_await exchange->ReadSome(piece);
      CHECK(got == 0);
    }
    CHECK(net.server.connections() == 1);
  });
}

TEST_CASE("interim answers are passed over") {
  WithServer(Always("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + Answer(200, "", "at last")),
             [](Net& net) -> Task<void> {
               const std::unique_ptr<Exchange> exchange = co_await net.client.Send(net.Get("/"));
               CHECK(exchange->status() == 200);
               CHECK(!exchange->head().Find("Link"));
               const std::string body = co_await ReadBody(*exchange, 100);
               CHECK(body == "at last");
             });
}

TEST_CASE("a stop request ends a request in each of its phases") {
  const auto silent = [](Peer& peer) -> Task<void> {
    co_await peer.Receive();
    if (peer.number() > 0) co_await peer.Send("HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf");
    co_await peer.AwaitEnd();
  };
  WithServer(silent, [](Net& net) -> Task<void> {
    runtime::Engine& engine = net.env.engine();
    for (int i = 0; i < 2; ++i) {
      const auto code = co_await test::ErrorOf(runtime::WithTimeout(engine, 20ms, Perform(net.client, net.Get("/"))));
      CHECK(code == Errc::kTimeout);
    }
    // Before it begins.
    runtime::StopSource stop;
    stop.RequestStop();
    const runtime::Context context{engine, runtime::StopToken(stop)};
    Task<Errc> stopped = test::ErrorOf(Perform(net.client, net.Get("/")));
    const Errc code = co_await runtime::InContext(stopped, context);
    CHECK(code == Errc::kStopped);
  });
}

TEST_CASE("a background request leaves room for those that somebody waits for") {
  const auto slow_background = [](Peer& peer) -> Task<void> {
    for (;;) {
      const auto request = co_await peer.Receive();
      if (!request) co_return;
      if (request->target == "/background") co_await peer.AwaitEnd();
      co_await peer.Send(Answer(200, "", "now"));
    }
  };
  const ClientOptions options{.requests_per_host = 3, .background_per_host = 2};
  WithServer(
      slow_background,
      [](Net& net) -> Task<void> {
        runtime::Scope scope(net.env.engine(), "background");
        for (int i = 0; i < 10; ++i) {
          ClientRequest request = net.Get("/background");
          request.lane = runtime::Lane::kBackground;
          scope.Spawn(Perform(net.client, request));
        }
        for (int i = 0; i < 3; ++i) co_await ExpectBody(net.client, net.Get("/demand"), "now");
        CHECK(net.server.connections() == 3);
        scope.RequestStop();
        co_await scope.Join();
      },
      options);
}

TEST_CASE("a proxy gets the whole URL and its own credentials, whatever the environment says") {
  const auto echo = [](const ServerRequest& request) {
    return Answer(200, "", request.target + " " + request.fields.at("proxy-authorization"));
  };
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  setenv("no_proxy", "*", 1);
  WithServer(AnswerEach(echo), [](Net& net) -> Task<void> {
    ClientRequest request("GET", Url::Parse("http://registry.test/v2/?n=1"));
    Proxy proxy{.url = net.server.At("/"), .user = "me", .password = "se:cret"};
    request.connect.proxies = std::make_shared<ProxyRules>(std::move(proxy), "");
    co_await ExpectBody(net.client, request, "http://registry.test/v2/?n=1 Basic bWU6c2U6Y3JldA==");
  });
  WithServer(Always(Answer(200, "", "straight")),
             [](Net& net) -> Task<void> { co_await ExpectBody(net.client, net.Get("/"), "straight"); });
  unsetenv("http_proxy");
  unsetenv("no_proxy");
}

TEST_CASE("a request that may not go to this machine does not") {
  const Reach reach = GENERATE(Reach::kNotLocal, Reach::kPublic);
  WithServer(Always(Answer(200, "", "secret of this machine")), [reach](Net& net) -> Task<void> {
    ClientRequest by_address = net.Get("/");
    by_address.connect.reach = reach;
    co_await ExpectError(Perform(net.client, by_address), Errc::kPermission);
    // A connection that is there already is no way in either.
    co_await ExpectBody(net.client, net.Get("/"), "secret of this machine");
    co_await ExpectError(Perform(net.client, by_address), Errc::kPermission);
  });
}

TEST_CASE("an answer says which address it comes from, unless a proxy or a socket hides it") {
  WithServer(Always(Answer(200, "", "here")), [](Net& net) -> Task<void> {
    auto straight = co_await net.client.Send(net.Get("/"));
    CHECK(straight->peer() == IpAddress::Parse("127.0.0.1"));
    ClientRequest request("GET", Url::Parse("http://registry.test/"));
    request.connect.reach = Reach::kPublic;  // whose address only the proxy knows
    Proxy proxy{.url = net.server.At("/")};
    request.connect.proxies = std::make_shared<ProxyRules>(std::move(proxy), "");
    auto proxied = co_await net.client.Send(request);
    CHECK(proxied->status() == 200);
    CHECK_FALSE(proxied->peer());
  });
}

TEST_CASE("a server that is not there is an error that names it without the query") {
  WithServer(Always(""), [](Net& net) -> Task<void> {
    ClientRequest request("GET", Url::Parse("http://127.0.0.1:1/path?signature=secret"));
    request.fields.push_back({.name = "Authorization", .value = "Bearer hidden", .secret = true});
    try {
      co_await Perform(net.client, request);
      FAIL("answered");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::kIo);
      CHECK(error.message().find("GET http://127.0.0.1:1/path: ") == 0);
      CHECK(error.message().find("secret") == std::string::npos);
      CHECK(error.message().find("hidden") == std::string::npos);
    }
  });
}

TEST_CASE("a request with line breaks in it is not sent") {
  WithServer(Always(Answer(200, "", "")), [](Net& net) -> Task<void> {
    for (const Field& field : {Field{"X", "a\r\nY: b"}, Field{"X\r\nY", "b"}, Field{"X", std::string("a\0b", 3)},
                               Field{"", "b"}, Field{"Host", "other"}, Field{"content-length", "3"}}) {
      ClientRequest request = net.Get("/");
      request.fields.push_back(field);
      co_await ExpectError(Perform(net.client, request), Errc::kInvalidArgument);
    }
    ClientRequest request("GE T", net.server.At("/"));
    co_await ExpectError(Perform(net.client, request), Errc::kInvalidArgument);
    CHECK(net.server.connections() == 0);
  });
}

TEST_CASE("a field without a value is sent as one") {
  const auto echo = [](const ServerRequest& request) {
    return Answer(200, "", request.fields.count("x-empty") ? "it is" : "it is not");
  };
  WithServer(AnswerEach(echo), [](Net& net) -> Task<void> {
    ClientRequest request = net.Get("/");
    request.fields.push_back({.name = "X-Empty", .value = ""});
    co_await ExpectBody(net.client, request, "it is");
  });
}

}  // namespace
}  // namespace sluice::http
