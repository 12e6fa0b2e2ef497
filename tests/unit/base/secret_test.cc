// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <ostream>
#include <type_traits>
#include <utility>

namespace sluice {
namespace {

template <typename T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};

TEST_CASE("a secret gets into no message by accident") {
  STATIC_REQUIRE(!fmt::is_formattable<Secret>::value);
  STATIC_REQUIRE(!Streamable<Secret>);
  STATIC_REQUIRE(!std::is_convertible_v<Secret, std::string_view>);
  STATIC_REQUIRE(!std::is_convertible_v<Secret, std::string>);
  STATIC_REQUIRE(!std::is_convertible_v<std::string, Secret>);
}

TEST_CASE("a secret that was moved from is empty") {
  Secret first("of more than fifteen characters, so that it is on the heap");
  const Secret second(std::move(first));
  CHECK(first.empty());  // NOLINT(bugprone-use-after-move): that is the question
  CHECK(second.Reveal() == "of more than fifteen characters, so that it is on the heap");
  Secret third("short");
  third = second;
  CHECK(third == second);
}

}  // namespace
}  // namespace sluice
