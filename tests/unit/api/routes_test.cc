// SPDX-License-Identifier: Apache-2.0
#include "api/routes.h"

#include <catch2/catch.hpp>
#include <optional>

#include "api/json.h"
#include "runtime/engine.h"

namespace sluice::api {
namespace {

using http::Request;
using http::Response;
using runtime::Task;

// Does what it is told and remembers what it was asked.
class FakeService final : public MountService {
 public:
  Task<MountInfo> Mount(MountRequest request) override {
    if (error) throw Error(*error);
    mounted = request;
    MountInfo info{.image = request.image, .mountpoint = request.mountpoint, .state = MountState::kMounted};
    co_return info;
  }
  Task<void> Unmount(std::string mountpoint) override {
    if (error) throw Error(*error);
    unmounted = std::move(mountpoint);
    co_return;
  }
  std::vector<MountInfo> List() const override { return {{.image = "oci:/i", .mountpoint = "/m"}}; }
  Task<Status> GetStatus() override {
    Status status;
    status.version = "1.2.3";
    co_return status;
  }

  std::optional<Error> error;
  std::optional<MountRequest> mounted;
  std::string unmounted;
};

class FakeBindings final : public BindService {
 public:
  Task<BindingInfo> Bind(BindRequest request) override {
    bound = request;
    BindingInfo info{.image = request.image, .fsid = "id", .domain = request.domain};
    co_return info;
  }
  Task<void> Unbind(std::string fsid, std::string domain) override {
    unbound = fsid + "@" + domain;
    co_return;
  }
  std::vector<BindingInfo> Bindings() const override {
    return {{.image = "oci:/i", .fsid = "a", .domain = "d", .mountpoint = "/m", .open = true, .blobs = {"b"}},
            {.image = "oci:/j", .fsid = "c"}};
  }

  std::optional<BindRequest> bound;
  std::string unbound;
};

// What the server makes of a request: errors are explained.
Response Ask(FakeService& service, Request request, BindService* bindings = nullptr) {
  Routes routes(service, bindings);
  const auto engine = runtime::MakeEngine(runtime::EngineKind::kAuto);
  try {
    return engine->Run(routes.Handle(std::move(request)));
  } catch (const Error& e) {
    return routes.Explain(http::StatusOf(e.code()), e);
  }
}

Request MountBody(std::string body) { return {.method = "POST", .path = "/v1/mounts", .body = std::move(body)}; }

TEST_CASE("a mount request reaches the service and is answered with the mount") {
  FakeService service;
  const Response response = Ask(service, MountBody(R"({"image":"oci:/i:t","mountpoint":"/m"})"));
  CHECK(response.status == 201);
  CHECK(response.content_type == "application/json");
  CHECK(service.mounted == MountRequest{.image = "oci:/i:t", .mountpoint = "/m"});
  CHECK(ParseMountInfo(response.body).mountpoint == "/m");
}

TEST_CASE("an unmount request reaches the service and has no answer but its status") {
  FakeService service;
  const Response response = Ask(service, {.method = "DELETE", .path = "/v1/mounts", .query = {{"mountpoint", "/a b"}}});
  CHECK(response == Response{.status = 204});
  CHECK(service.unmounted == "/a b");
}

TEST_CASE("lists and status are encoded as documented") {
  FakeService service;
  const Response mounts = Ask(service, {.method = "GET", .path = "/v1/mounts"});
  CHECK(mounts.status == 200);
  CHECK(ParseMounts(mounts.body) == service.List());
  const Response status = Ask(service, {.method = "GET", .path = "/v1/status"});
  CHECK(status.status == 200);
  CHECK(ParseStatus(status.body).version == "1.2.3");
}

TEST_CASE("bindings are made, listed and taken back where the front end has them") {
  FakeService service;
  FakeBindings bindings;
  const Request bind{.method = "POST",
                     .path = "/v1/bindings",
                     .body = R"({"image":"oci:/i","fsid":"id","domain":"d","tls_verify":false})"};
  const Response made = Ask(service, bind, &bindings);
  CHECK(made.status == 201);
  CHECK(bindings.bound == BindRequest{.image = "oci:/i", .fsid = "id", .domain = "d", .access = {.tls_verify = false}});
  CHECK(ParseBindRequest(Encode(*bindings.bound)) == *bindings.bound);
  CHECK(ParseBindingInfo(made.body).domain == "d");

  const Request list{.method = "GET", .path = "/v1/bindings"};
  CHECK(ParseBindings(Ask(service, list, &bindings).body) == bindings.Bindings());

  Request unbind{.method = "DELETE", .path = "/v1/bindings", .query = {{"domain", "d"}, {"fsid", "a"}}};
  CHECK(Ask(service, unbind, &bindings).status == 204);
  CHECK(bindings.unbound == "a@d");
  unbind.query.pop_back();
  CHECK(Ask(service, unbind, &bindings).status == 400);
  unbind.query = {{"fsid", "a"}, {"fsid", "b"}};
  CHECK(Ask(service, unbind, &bindings).status == 400);
  unbind.query = {{"fsid", "a"}, {"force", "1"}};
  CHECK(Ask(service, unbind, &bindings).status == 400);
  CHECK(bindings.unbound == "a@d");

  CHECK(Ask(service, bind).status == 501);
  CHECK(ParseBindings(Ask(service, list).body).empty());
}

TEST_CASE("each kind of error has the documented status, and its code and message in the body") {
  const auto [code, status] = GENERATE(table<Errc, unsigned>({
      {Errc::kInvalidArgument, 400},
      {Errc::kPermission, 403},
      {Errc::kNotFound, 404},
      {Errc::kExists, 409},
      {Errc::kBusy, 409},
      {Errc::kCorrupt, 422},
      {Errc::kIo, 500},
      {Errc::kUnsupported, 501},
      {Errc::kLimit, 503},
      {Errc::kStopped, 503},
      {Errc::kTimeout, 504},
      {Errc::kNoSpace, 507},
  }));
  FakeService service;
  service.error = Error(code, "what is wrong");
  for (const Request& request : {MountBody(R"({"image":"oci:/i","mountpoint":"/m"})"),
                                 Request{.method = "DELETE", .path = "/v1/mounts", .query = {{"mountpoint", "/m"}}}}) {
    CAPTURE(sluice::Name(code), request.method);
    const Response response = Ask(service, request);
    CHECK(response.status == status);
    CHECK(response.content_type == "application/json");
    CHECK(ParseError(response.body).code() == code);
    CHECK(ParseError(response.body).message() == "what is wrong");
    CHECK_FALSE(http::ReasonPhrase(status).empty());
  }
}

TEST_CASE("a path that does not exist is not found") {
  FakeService service;
  for (const std::string path : {"/", "/v1", "/v1/mounts/", "/V1/mounts", "/v1/mounts/x", "/v2/mounts"}) {
    CAPTURE(path);
    CHECK(Ask(service, {.method = "GET", .path = path}).status == 404);
  }
}

TEST_CASE("a method that a path does not take is answered with those that it takes") {
  FakeService service;
  const Response response = Ask(service, {.method = "PUT", .path = "/v1/mounts"});
  CHECK(response.status == 405);
  CHECK(response.allow == "POST, DELETE, GET");
  CHECK(ParseError(response.body).code() == Errc::kInvalidArgument);
  CHECK(Ask(service, {.method = "POST", .path = "/v1/status"}).allow == "GET");
}

TEST_CASE("requests that say more or less than they may do nothing") {
  FakeService service;
  const std::vector<Request> requests = {
      MountBody(""),
      MountBody("{}"),
      {.method = "POST",
       .path = "/v1/mounts",
       .query = {{"lazy", "1"}},
       .body = R"({"image":"oci:/i","mountpoint":"/m"})"},
      {.method = "DELETE", .path = "/v1/mounts"},
      {.method = "DELETE", .path = "/v1/mounts", .query = {{"mountpoint", ""}}},
      {.method = "DELETE", .path = "/v1/mounts", .query = {{"mountpoint", "/m"}, {"mountpoint", "/n"}}},
      {.method = "DELETE", .path = "/v1/mounts", .query = {{"mountpoint", "/m"}, {"force", "1"}}},
      {.method = "DELETE", .path = "/v1/mounts", .query = {{"mountpoint", "/m"}}, .body = "x"},
      {.method = "GET", .path = "/v1/mounts", .query = {{"all", "1"}}},
      {.method = "GET", .path = "/v1/mounts", .body = "x"},
      {.method = "GET", .path = "/v1/status", .query = {{"x", "1"}}},
      {.method = "GET", .path = "/v1/status", .body = "x"},
  };
  for (const Request& request : requests) {
    CAPTURE(request.method, request.path, request.query, request.body);
    CHECK(Ask(service, request).status == 400);
  }
  CHECK_FALSE(service.mounted);
  CHECK(service.unmounted.empty());
}

}  // namespace
}  // namespace sluice::api
