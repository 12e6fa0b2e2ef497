// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "durable_file.h"
#include "support/engines.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

using runtime::Task;

const BlobId kBlob = BlobId::Parse(std::string(64, 'a'));

BackendSecrets Configured(const std::string& json) { return {.credentials = Secret(), .configuration = Secret(json)}; }

Task<std::string> Read(backend::BlobSource& source, size_t count) {
  std::string content(count, '\0');
  co_await source.ReadAt(0, std::as_writable_bytes(std::span(content.data(), content.size())));
  co_return content;
}

Task<Errc> FailureOf(backend::BlobSource& source) {
  auto read = Read(source, 1);
  try {
    co_await std::move(read);
  } catch (const Error& error) {
    co_return error.code();
  }
  FAIL("the read succeeds");
  co_return Errc::kStopped;
}

Task<void> MendThePlace(Network& network, std::string directory) {
  // The certificate is missing, then the server, at a port where nobody listens.
  const std::string certificate = directory + "/ca.pem";
  const auto source = network.OpenBlob(ConfiguredSpec{},
                                       Configured(R"({"type": "http", "config": {"url": "http://127.0.0.1:1/", )"
                                                  R"("retry_limit": 0, "ca_cert_files": [")" +
                                                  certificate + R"("]}})"),
                                       kBlob);
  Errc code = co_await FailureOf(*source);
  CHECK(code == Errc::kNotFound);
  WriteDurably(certificate, AsBytes("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"));
  code = co_await FailureOf(*source);
  CHECK(code == Errc::kIo);
}

Task<void> ReadFrom(Network& network, BackendSpec spec, BackendSecrets secrets, std::string content) {
  const auto source = network.OpenBlob(spec, secrets, kBlob);
  const std::string whole = co_await Read(*source, content.size());
  CHECK(whole == content);
  const auto stream = source->OpenStream(1, content.size() - 1, runtime::Lane::kDemand);
  std::string rest(content.size() - 1, '\0');
  co_await stream->Read(std::as_writable_bytes(std::span(rest.data(), rest.size())));
  CHECK(rest == content.substr(1));
}

// Runs `body` with a network of each engine that has one.
template <typename F>
void WithNetwork(F body) {
  for (const auto kind : {runtime::EngineKind::kAuto, runtime::EngineKind::kEpoll}) {
    const auto engine = runtime::MakeEngine(kind);
    CAPTURE(engine->name());
    runtime::Offload asking(1);
    const auto configuration = Network::Configuration::Make({});
    Network network(*engine, asking, configuration, 1);
    engine->Run(body(network));
    engine->Run(network.Close());
  }
}

TEST_CASE("what a backend needs is looked for again by each read, until it is there") {
  WithNetwork([](Network& network) -> Task<void> {
    test::TemporaryDirectory directory;
    co_await MendThePlace(network, directory.path());
  });
}

TEST_CASE("blobs come from directories, remembered or configured, by reads and by streams") {
  WithNetwork([](Network& network) -> Task<void> {
    test::TemporaryDirectory directory;
    WriteDurably(directory / kBlob.hex(), AsBytes("content"));
    const BackendSpec remembered = DirectorySpec{directory.path()};
    const BackendSecrets none;
    co_await ReadFrom(network, remembered, none, "content");
    const auto configured = Configured(R"({"type": "localfs", "config": {"dir": ")" + directory.path() + R"("}})");
    const BackendSpec configuration = ConfiguredSpec{};
    co_await ReadFrom(network, configuration, configured, "content");
  });
}

TEST_CASE("a proxy that makes no sense is refused without its password") {
  NetworkOptions options;
  options.proxy = "socks5://user:hunter2@proxy";
  CHECK_THROWS_WITH(Network::Configuration::Make(options), !Catch::Contains("hunter2"));
}

}  // namespace
}  // namespace sluice::daemon
