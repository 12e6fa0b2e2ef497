// SPDX-License-Identifier: Apache-2.0
// Whom the client trusts, against a TLS server of others: openssl s_server.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "client_fixture.h"
#include "support/temporary_directory.h"

namespace sluice::http {
namespace {

using runtime::Task;
using namespace std::chrono_literals;

std::string Contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A process with its output in a file.
class Process {
 public:
  Process(std::vector<std::string> words, const std::filesystem::path& directory, const std::filesystem::path& output) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int error = posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(error == 0);
  }
  ~Process() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    Wait();
  }
  int Wait() {
    int status = 0;
    if (pid_ > 0) waitpid(std::exchange(pid_, 0), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = 0;
};

// A certificate and its key, made for `name` (an IP address), signed by itself.
struct Identity {
  Identity(const test::TemporaryDirectory& directory, const std::string& file, const std::string& name)
      : cert_path(directory / (file + ".crt")), key_path(directory / (file + ".key")) {
    Process request(
        {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         key_path, "-out", cert_path, "-days", "2", "-subj", "/CN=" + file, "-addext", "subjectAltName=IP:" + name},
        directory / "", directory / "req.log");
    REQUIRE(request.Wait() == 0);
  }
  const std::string cert_path;
  const std::string key_path;
};

// Serves the files of its directory on an ephemeral port of 127.0.0.1.
class TlsServer {
 public:
  TlsServer(const test::TemporaryDirectory& directory, const Identity& identity, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"openssl", "s_server",         "-accept", "127.0.0.1:0",    "-WWW",
                                   "-cert",   identity.cert_path, "-key",    identity.key_path};
    words.insert(words.end(), more.begin(), more.end());
    std::ofstream(directory / "document") << "the document";
    const std::filesystem::path log = directory / "server.log";
    std::filesystem::remove(log);
    process_.emplace(std::move(words), directory / "", log);
    // It says its port as soon as it listens.
    const std::string mark = "ACCEPT 127.0.0.1:";
    for (int turn = 0; turn < 10'000 && port_.empty(); ++turn) {
      const std::string said = Contents(log);
      const size_t at = said.find(mark);
      if (at != std::string::npos && said.find('\n', at) != std::string::npos) {
        port_ = said.substr(at + mark.size(), said.find('\n', at) - at - mark.size());
      }
      usleep(1000);
    }
    REQUIRE_FALSE(port_.empty());
  }
  Url url() const { return Url::Parse("https://127.0.0.1:" + port_ + "/document"); }

 private:
  std::optional<Process> process_;
  std::string port_;
};

struct Outcome {
  std::string body;
  std::optional<Errc> code;
};

// What fetching the document with these options ends with, on each real engine.
std::vector<Outcome> Fetch(const TlsServer& server, const TlsOptions& tls) {
  std::vector<Outcome> outcomes;
  const auto body = [&](test::TestEnv& env) -> Task<void> {
    Client client(env.engine());
    ClientRequest request("GET", server.url());
    request.connect.tls = std::make_shared<TlsOptions>(tls);
    Outcome outcome;
    try {
      outcome.body = co_await BodyOf(client, std::move(request));
    } catch (const Error& error) {
      outcome.code = error.code();
    }
    co_await client.Close();
    outcomes.push_back(std::move(outcome));
  };
  test::RunOnEngines(body, 0);
  return outcomes;
}

void ExpectDocument(const TlsServer& server, const TlsOptions& tls) {
  for (const Outcome& outcome : Fetch(server, tls)) {
    CHECK(outcome.body == "the document");
    CHECK_FALSE(outcome.code);
  }
}

void ExpectRefusal(const TlsServer& server, const TlsOptions& tls, Errc code) {
  for (const Outcome& outcome : Fetch(server, tls)) CHECK(outcome.code == code);
}

TEST_CASE("a server is trusted when its authority is, and under its own name only") {
  const test::TemporaryDirectory directory;
  const Identity here(directory, "here", "127.0.0.1");
  const Identity elsewhere(directory, "elsewhere", "192.0.2.1");
  {
    const TlsServer server(directory, here);
    ExpectDocument(server, {.extra_ca = Contents(here.cert_path)});
    ExpectDocument(server, {.extra_ca = Contents(elsewhere.cert_path) + Contents(here.cert_path)});
    ExpectRefusal(server, {}, Errc::kPermission);
    ExpectRefusal(server, {.extra_ca = Contents(elsewhere.cert_path)}, Errc::kPermission);
    ExpectDocument(server, {.verify = false});
    ExpectRefusal(server, {.extra_ca = "no certificate"}, Errc::kInvalidArgument);
  }
  const TlsServer pretender(directory, elsewhere);
  ExpectRefusal(pretender, {.extra_ca = Contents(elsewhere.cert_path)}, Errc::kPermission);
  ExpectDocument(pretender, {.verify = false});
}

TEST_CASE("a client shows its certificate where it has one") {
  const test::TemporaryDirectory directory;
  const Identity here(directory, "here", "127.0.0.1");
  const Identity me(directory, "me", "192.0.2.1");
  const TlsServer server(directory, here, {"-Verify", "1", "-verify_return_error", "-CAfile", me.cert_path});
  TlsOptions tls{.extra_ca = Contents(here.cert_path)};
  ExpectRefusal(server, tls, Errc::kIo);  // an alert of the server's, which may mean anything
  tls.client_cert = Contents(me.cert_path);
  tls.client_key = Contents(me.key_path);
  ExpectDocument(server, tls);
  tls.client_key = "no key";
  ExpectRefusal(server, tls, Errc::kInvalidArgument);
}

TEST_CASE("a server that does not speak TLS is an error, and one that says nothing is given up") {
  const auto plain = [](test::Peer& peer) -> Task<void> {
    co_await peer.Send("HTTP/1.1 400 This is no TLS\r\n\r\n");
    co_await peer.AwaitEnd();
  };
  WithServer(plain, [](Net& net) -> Task<void> {
    ClientRequest request("GET", Url::Parse("https://127.0.0.1:" + std::to_string(net.server.port())));
    co_await ExpectError(Perform(net.client, request), Errc::kIo);
  });
  const auto silent = [](test::Peer& peer) -> Task<void> { co_await peer.AwaitEnd(); };
  WithServer(silent, [](Net& net) -> Task<void> {
    ClientRequest request("GET", Url::Parse("https://127.0.0.1:" + std::to_string(net.server.port())));
    request.patience.connect = 30ms;
    co_await ExpectError(Perform(net.client, request), Errc::kTimeout);
  });
}

}  // namespace
}  // namespace sluice::http
