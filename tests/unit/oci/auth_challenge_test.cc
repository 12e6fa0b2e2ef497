// SPDX-License-Identifier: Apache-2.0
#include "oci/auth_challenge.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"

namespace sluice::oci {

TEST_CASE("challenges are parsed and written back") {
  struct Case {
    std::string text;
    std::vector<AuthChallenge> expected;
  };
  const Case cases[] = {
      {"", {}},
      {" , ,", {}},
      {"Basic realm=\"a b\"", {{"basic", {{"realm", "a b"}}, ""}}},
      {"Bearer realm=\"https://auth.example/token\",service=registry.example,scope=\"repository:a/b:pull,push\"",
       {{"bearer",
         {{"realm", "https://auth.example/token"},
          {"service", "registry.example"},
          {"scope", "repository:a/b:pull,push"}},
         ""}}},
      {"Negotiate, Basic Realm = \"x\\\"y\\\\z\" , charset=UTF-8,Bearer realm=\"\"",
       {{"negotiate", {}, ""},
        {"basic", {{"realm", "x\"y\\z"}, {"charset", "UTF-8"}}, ""},
        {"bearer", {{"realm", ""}}, ""}}},
      {"NTLM abc/+==, Basic", {{"ntlm", {}, "abc/+=="}, {"basic", {}, ""}}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto parsed = ParseAuthChallenges(c.text);
    CHECK(parsed == c.expected);
    CHECK(ParseAuthChallenges(FormatAuthChallenges(parsed)) == parsed);
  }
  CHECK(ParseAuthChallenges("Bearer realm=\"r\"").front().Parameter("realm") == "r");
  CHECK(ParseAuthChallenges("Bearer realm=\"r\"").front().Parameter("scope").empty());
}

TEST_CASE("fields that are no challenges are refused") {
  std::string many_challenges;
  for (int i = 0; i < 17; ++i) many_challenges += "a" + std::to_string(i) + ",";
  std::string many_parameters = "Bearer a=1";
  for (int i = 0; i < 32; ++i) many_parameters += ",p" + std::to_string(i) + "=1";
  for (const std::string& text :
       {std::string("\"x\""), std::string("Basic realm x"), std::string("Basic realm=\"x"),
        std::string("Basic realm=\"x\\"), std::string("Basic realm=\"x\"y"), std::string("Basic realm=a realm=b"),
        std::string("Bearer realm=a, realm=b"), std::string("Bearer realm=a, REALM=b"),
        std::string("Basic realm=\"a\r\nb\""), std::string("Basic realm=\"a\0b\"", 17), std::string("Basic@x"),
        std::string("Basic =x"), many_challenges, many_parameters,
        "Basic realm=\"" + std::string(16 * 1024, 'a') + "\""}) {
    CAPTURE(text.substr(0, 40));
    try {
      (void)ParseAuthChallenges(text);
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
    }
  }
}

TEST_CASE("a challenge that is cut anywhere is refused or is another challenge, never read beyond its end") {
  const std::string text = "Bearer realm=\"https://auth.example/t\\\"oken\",service=\"s\", Basic realm=\"x\"";
  for (size_t length = 0; length < text.size(); ++length) {
    // A copy of just that length: the address sanitizer sees what lies behind it.
    const std::string cut(text, 0, length);
    CAPTURE(cut);
    try {
      const auto parsed = ParseAuthChallenges(cut);
      CHECK(parsed.size() <= 2);
      CHECK(ParseAuthChallenges(FormatAuthChallenges(parsed)) == parsed);
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kCorrupt);
    }
  }
}

}  // namespace sluice::oci
