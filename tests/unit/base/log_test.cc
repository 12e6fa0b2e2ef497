// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace sluice {
namespace {

// What `action` writes to stderr.
template <typename Action>
std::string StderrOf(Action action) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  UniqueFd saved(::dup(2));
  ::dup2(writer.get(), 2);
  action();
  ::dup2(saved.get(), 2);
  writer.Reset();
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, ::read(reader.get(), text.data(), text.size()))));
  return text;
}

}  // namespace

TEST_CASE("a line has a time, a level and its text; lines below the level are dropped") {
  const std::string text = StderrOf([] {
    Log log(LogLevel::kWarning, Log::Style::kPlain);
    log.Info("not shown");
    log.Warning("blob '{}' is {} bytes short", "abc", 7);
  });
  CHECK(text.find("not shown") == std::string::npos);
  CHECK(text.find("Z warning blob 'abc' is 7 bytes short\n") != std::string::npos);
}

TEST_CASE("lines for the journal carry the priority of sd-daemon(3)") {
  const std::string text = StderrOf([] {
    Log log(LogLevel::kDebug, Log::Style::kJournal);
    log.Error("broken");
    log.Debug("detail");
  });
  CHECK(text == "<3>broken\n<7>detail\n");
}

TEST_CASE("unknown level names are refused") {
  CHECK(ParseLogLevel("debug") == LogLevel::kDebug);
  CHECK_THROWS_AS(ParseLogLevel("loud"), Error);
}

}  // namespace sluice
