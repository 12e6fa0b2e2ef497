// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "durable_file.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

std::variant<Options, int> Read(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sluiced");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return ReadOptions(static_cast<int>(pointers.size()), pointers.data());
}

TEST_CASE("the command line is stronger than the file, the file than the defaults") {
  test::TemporaryDirectory directory;
  const std::string config = directory / "config.toml";
  WriteDurably(config, AsBytes("root = '/from/file'\nengine = 'epoll'\nshards = 3\n"));
  const auto read = Read({"--config", config, "--root", "/from/line"});
  const auto& options = std::get<Options>(read);
  CHECK(options.root == "/from/line");
  CHECK(options.engine == runtime::EngineKind::kEpoll);
  CHECK(options.shards == 3);
  CHECK(options.socket == "/run/sluice/sluiced.sock");
}

TEST_CASE("the last of several --holder counts") {
  const auto read = Read({"--config", "/dev/null", "--holder", "self", "--holder", "service-manager"});
  CHECK(std::get<Options>(read).holder == HolderKind::kServiceManager);
}

TEST_CASE("an unknown option is a usage error, help is none") {
  CHECK(std::get<int>(Read({"--no-such-option"})) == 2);
  CHECK(std::get<int>(Read({"--help"})) == 0);
  CHECK(std::get<int>(Read({"--version"})) == 0);
}

TEST_CASE("a configuration that is asked for must exist") {
  CHECK_THROWS_AS(Read({"--config", "/nonexistent/config.toml"}), Error);
}

TEST_CASE("a value that makes no sense is refused") {
  const auto check = [](const OptionValues& values, const std::string& named) {
    CHECK_THROWS_WITH(Combine(values, {}), Catch::Contains(named));
  };
  check({.root = "relative"}, "root");
  check({.socket = ""}, "socket");
  check({.frontend = "fuse"}, "frontend 'fuse'");
  check({.engine = "select"}, "select");
  check({.log_level = "loud"}, "loud");
  check({.holder = "nobody"}, "holder 'nobody'");
  check({.shards = 65}, "65");
  check({.fetch_timeout_ms = 0}, "fetch-timeout-ms 0");
  check({.mount_timeout_ms = 3'600'001}, "mount-timeout-ms 3600001");
  check({.retries = 101}, "retries 101");
  check({.auth_file = "auth.json"}, "auth-file");
}

TEST_CASE("the table of the network says how patient the daemon is with servers") {
  const Options options = Combine(
      ParseConfig(
          "fetch-timeout-ms = 2000\nmount-timeout-ms = 3000\n[network]\n"
          "connect-timeout-ms = 400\nanswer-timeout-ms = 500\nretries = 6\n"
          "retry-delay-ms = 7\nmost-pause-ms = 8\nhedge = true\nproxy = 'http://proxy:3128'\nno-proxy = 'local'\n"
          "auth-file = '/auth.json'\n",
          "config"),
      {});
  using std::chrono::milliseconds;
  CHECK(options.fetch_timeout == milliseconds(2000));
  CHECK(options.mount_timeout == milliseconds(3000));
  NetworkOptions network{.connect_timeout = milliseconds(400),
                         .answer_timeout = milliseconds(500),
                         .most_pause = milliseconds(8),
                         .hedge = true,
                         .proxy = "http://proxy:3128",
                         .no_proxy = "local",
                         .auth_file = "/auth.json"};
  network.retry.tries = 7;
  network.retry.first_delay = milliseconds(7);
  network.retry.budget = options.fetch_timeout;
  CHECK(options.network == network);
}

TEST_CASE("the table of the prefetch limits what nobody waits for, without it nothing does") {
  CHECK(Combine({}, {}).prefetch_bytes_per_second == 0);
  CHECK(Combine({}, {}).prefetch_requests_per_second == 0);
  const Options options =
      Combine({}, ParseConfig("[prefetch]\nbytes-per-second = 1000000\nrequests-per-second = 20\n", "c.toml"));
  CHECK(options.prefetch_bytes_per_second == 1'000'000);
  CHECK(options.prefetch_requests_per_second == 20);
}

TEST_CASE("the kernel's cache is below the root unless told otherwise, its limits ascend") {
  CHECK(Combine({.root = "/r"}, {}).cachefiles.settings.directory == "/r/cachefiles");
  const OptionValues file = ParseConfig("[cachefiles]\ndir = '/c'\nstop = 2\ncull = 3\nrun = 4\nquota = 5", "c.toml");
  const CachefilesOptions options = Combine({}, file).cachefiles;
  CHECK(options.settings ==
        frontend::cachefiles::CacheSettings{.directory = "/c", .tag = "sluice", .run = 4, .cull = 3, .stop = 2});
  CHECK(options.quota == 5);
  for (const char* text : {"run = 5", "stop = 5", "cull = 7", "run = 99", "dir = 'relative'", "tag = 'a b'"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Combine({}, ParseConfig(std::string("[cachefiles]\n") + text, "c.toml")), Error);
  }
}

TEST_CASE("the configuration file knows its keys and their types") {
  const auto check = [](const std::string& text, const std::string& named) {
    CHECK_THROWS_WITH(ParseConfig(text, "c.toml"), Catch::Contains("'c.toml' line") && Catch::Contains(named));
  };
  check("root = '/a'\nrot = '/b'", "line 2: unknown key 'rot'");
  check("shards = 'three'", "'shards' has the wrong type");
  check("shards = -1", "'shards' is negative");
  check("root = 1", "'root' has the wrong type");
  check("root = ", "line 1");
  check("[section]\nroot = '/a'", "unknown key 'section'");
  check("cachefiles = 1", "'cachefiles' is not a table");
  check("[cachefiles]\nquota = -1", "'quota' is negative");
  check("[cachefiles]\nbrun = 7", "line 2: unknown key 'brun'");
  check("[network]\nproxi = '/a'", "line 2: unknown key 'proxi'");
  check("[prefetch]\nbytes-per-second = -1", "'bytes-per-second' is negative");
  check("[prefetch]\nrate = 1", "line 2: unknown key 'rate'");
  check("network = 1", "'network' is not a table");
  CHECK_FALSE(ParseConfig("# nothing", "c.toml").root);
}

}  // namespace
}  // namespace sluice::daemon
