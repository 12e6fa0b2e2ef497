// SPDX-License-Identifier: Apache-2.0
#include "oci/repository_writer.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "fake_registry.h"

namespace sluice::oci {
namespace {

using namespace sluice::test;
using runtime::Task;

const std::string kServer = "https://r.example/v2";

// Takes uploads as docker-registry does; `place` is where it says that they go on.
class UploadServer {
 public:
  ScriptedAnswer Serve(const http::ClientRequest& request) {
    const std::string& path = request.url.path();
    if (request.method == "HEAD") return Answer(404);
    if (request.method == "POST") {
      if (mounts && request.url.query().find("mount=") != std::string::npos) return Answer(201);
      received.clear();
      return Answer(202, "", {{"Location", place}});
    }
    if (path.find("/uploads/id") == std::string::npos) return Answer(404);
    if (request.method == "GET") return Answer(204, "", Progress());
    if (request.method == "PATCH") {
      const std::string body = Body(request);
      if (break_at && received.size() + body.size() > *break_at) {
        received += body.substr(0, *break_at - received.size());
        break_at.reset();
        ScriptedAnswer broken;
        broken.failure = Error(Errc::kIo, "reset");
        return broken;
      }
      received += body;
      return Answer(202, "", Progress());
    }
    if (request.method == "PUT") {
      received += Body(request);
      finished = request.url.query();
      return Answer(201);
    }
    if (request.method == "DELETE") cancelled = true;
    return Answer(204);
  }

  static std::string Body(const http::ClientRequest& request) {
    if (request.upload == nullptr) return request.body;
    std::string body(request.upload->size(), ' ');
    // The source is memory: it never waits.
    runtime::SimDisk disk;
    runtime::SimEngine engine(disk, 1);
    size_t filled = 0;
    while (filled < body.size())
      filled += engine.Run(request.upload->ReadSome(std::as_writable_bytes(std::span(body)).subspan(filled)));
    return body;
  }

  std::vector<http::Field> Progress() const {
    return {{"Location", place}, {"Range", "0-" + std::to_string(received.empty() ? 0 : received.size() - 1)}};
  }

  std::string place = "/v2/a/b/blobs/uploads/id?state=s3cr3t";
  bool mounts = false;
  std::optional<size_t> break_at;
  std::string received;
  std::string finished;
  bool cancelled = false;
};

}  // namespace

TEST_CASE("a blob is uploaded piece by piece, and goes on where a broken connection left it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    UploadServer server;
    server.break_at = 7;
    RegistryWorld world(env, [&server](const http::ClientRequest& request) { return server.Serve(request); });
    RepositoryWriter writer(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));
    BlobUpload upload(writer);
    co_await upload.Start();
    co_await upload.Append(AsBytes("01234"));
    co_await upload.Append(AsBytes("56789"));
    const Digest digest = DigestOf(DigestAlgorithm::kSha256, AsBytes("0123456789"));
    co_await upload.Finish(digest);
    CHECK(server.received == "0123456789");
    CHECK(server.finished == "state=s3cr3t&digest=sha256%3A" + digest.Hex());
  });
}

TEST_CASE("the place where an upload goes on gets no credentials when it is another host") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    UploadServer server;
    server.place = "https://evil.example/v2/a/b/blobs/uploads/id";
    RegistryWorld world(env, [&server](const http::ClientRequest& request) {
      if (request.url.origin().host == "r.example" && FieldOf(request, "Authorization").empty())
        return Answer(401, "", {{"WWW-Authenticate", "Basic realm=\"x\""}});
      // Nor does a 401 of that host get any.
      if (request.url.origin().host == "evil.example") {
        CHECK(FieldOf(request, "Authorization").empty());
        CHECK(FieldOf(request, "X-Key").empty());
        return Answer(401, "", {{"WWW-Authenticate", "Basic realm=\"give\""}});
      }
      return server.Serve(request);
    });
    world.credentials->Change(Credentials{.user = "alice", .password = Secret("s3cr3t")});
    Endpoint endpoint = EndpointAt(kServer);
    endpoint.fields.push_back({"X-Key", "s3cr3t", true});
    RepositoryWriter writer(world.Services(), TestImage(), world.Options({endpoint}));
    const auto put = [](RepositoryWriter& w) -> Task<void> {
      const Digest digest = DigestOf(DigestAlgorithm::kSha256, AsBytes("blob"));
      co_await w.PutBlob(digest, AsBytes("blob"));
    };
    co_await ExpectError(put(writer), Errc::kPermission);
    CHECK(world.transport.requests().back().url.origin().host == "evil.example");
    CHECK(world.credentials->asked() == 1);
  });
}

TEST_CASE("an upload is not continued in plain http, on this machine, or nowhere") {
  for (const std::string& place : {std::string("http://r.example/v2/a/b/blobs/uploads/id"),
                                   std::string("https://127.0.0.1/v2/uploads/id"), std::string("ftp://r.example/x")}) {
    CAPTURE(place);
    RunOnEngines(
        [&place](TestEnv& env) -> Task<void> {
          UploadServer server;
          server.place = place;
          RegistryWorld world(env, [&server](const http::ClientRequest& request) { return server.Serve(request); });
          RepositoryWriter writer(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}));
          BlobUpload upload(writer);
          const auto start = [](BlobUpload& u) -> Task<void> { co_await u.Start(); };
          const Errc got = co_await ErrorOf(start(upload));
          CHECK((got == Errc::kPermission || got == Errc::kCorrupt));
          CHECK(world.transport.requests().size() == 1);
        },
        1);
  }
}

TEST_CASE("a registry that does not mount a blob is told to forget the upload it has begun") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    UploadServer server;
    RegistryWorld world(env, [&server](const http::ClientRequest& request) { return server.Serve(request); });
    RepositoryWriter writer(world.Services(), TestImage(), world.Options({EndpointAt(kServer)}), "c/d");
    const bool refused = co_await writer.MountBlob(Digest{});
    CHECK(!refused);
    CHECK(server.cancelled);
    server.mounts = true;
    const bool mounted = co_await writer.MountBlob(Digest{});
    CHECK(mounted);
  });
}

TEST_CASE("nothing is pushed to mirrors") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    RegistryWorld world(env, [](const http::ClientRequest&) { return Answer(404); });
    Endpoint mirror = EndpointAt("https://m.example/v2");
    mirror.push = false;
    RepositoryWriter writer(world.Services(), TestImage(), world.Options({mirror, EndpointAt(kServer)}));
    const bool there = co_await writer.HasBlob(Digest{}, 1);
    CHECK(!there);
    CHECK(world.transport.requests().front().url.origin().host == "r.example");
    CHECK_THROWS_AS(RepositoryWriter(world.Services(), TestImage(), world.Options({mirror})), Error);
  });
}

}  // namespace sluice::oci
