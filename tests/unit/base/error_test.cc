// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <catch2/catch.hpp>
#include <cerrno>

namespace sluice {

TEST_CASE("an error carries its kind, its numbers and the context that was added on the way up") {
  try {
    try {
      Throw(Errc::kCorrupt, "chunk {} ends at {} past size {}", 3, 8192, 4096);
    } catch (Error& e) {
      e.AddContext("blob meta 'abc'");
      throw;
    }
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kCorrupt);
    CHECK(std::string(e.what()) == "blob meta 'abc': chunk 3 ends at 8192 past size 4096");
  }
}

TEST_CASE("an errno becomes a kind and a text") {
  try {
    ThrowErrno(ENOSPC, "cannot write '{}'", "/cache/x");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kNoSpace);
    CHECK(e.message() == "cannot write '/cache/x': No space left on device");
  }
}

TEST_CASE("every kind has a name and an errno, and those with an errno of their own map back") {
  for (int i = 0; i <= static_cast<int>(Errc::kStopped); ++i) {
    const auto code = static_cast<Errc>(i);
    CHECK(Name(code) != "unknown");
    CHECK(ToErrno(code) > 0);
    if (ToErrno(code) != EIO) CHECK(FromErrno(ToErrno(code)) == code);
  }
}

}  // namespace sluice
