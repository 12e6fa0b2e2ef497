// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a server says about how to log in: the WWW-Authenticate field (RFC 9110 section 11.6.1).

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::oci {

struct AuthChallenge {
  std::string scheme;                                          // lower case: "bearer", "basic"
  std::map<std::string, std::string, std::less<>> parameters;  // names in lower case, values unquoted
  std::string token;                                           // token68 in place of parameters; else empty

  // Empty when there is none.
  std::string_view Parameter(std::string_view name) const;
  bool operator==(const AuthChallenge&) const = default;
};

// All challenges of one field.  Throws kCorrupt for text that is no list of challenges, that names a parameter twice,
// or that has more than 16 challenges, 32 parameters in one, or 16 KiB.
std::vector<AuthChallenge> ParseAuthChallenges(std::string_view field);

// As one field; ParseAuthChallenges gives the same challenges back.  Values hold no control characters.
std::string FormatAuthChallenges(const std::vector<AuthChallenge>& challenges);

}  // namespace sluice::oci
